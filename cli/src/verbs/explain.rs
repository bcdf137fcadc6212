//! `stint explain`: the daemon's reasons, and whether this host's PAM files ask it at all.

use stint_policy::text::harmless;
use stint_proto::{ExitStatus, Explain, Explanation, Verdict};

use crate::args::ExplainArgs;
use crate::failure::Outcome;
use crate::gate::inspect::asks;
use crate::gate::places::Places;
use crate::look::grants::Here;
use crate::look::{BAD, GOOD, ODD, styled};
use crate::{bus, json, out};

/// Shows why the gate would say what it would say.
pub fn run(args: ExplainArgs) -> Outcome {
    let here = Here::system();
    let at = super::time(args.at.as_deref(), &here)?;
    let question = Explain { user: args.user, service: args.service, at };
    let answer: Explanation = bus::call("Explain", &question)?;
    let gated = asks(&Places::system(), answer.service.as_str());
    if args.json.json {
        out::json(&json::explanation(&answer, gated));
    } else {
        out::print(&text(&answer, gated, &here));
    }
    Ok(ExitStatus::Done)
}

fn text(answer: &Explanation, gated: Option<bool>, here: &Here) -> String {
    let (user, service, at) = (&answer.user, &answer.service, here.clock(answer.at));
    let head = match answer.verdict {
        Verdict::Allow => styled(GOOD, &format!("At {at} {service} lets {user} in.")),
        Verdict::Deny => styled(BAD, &format!("At {at} {service} does not let {user} in.")),
    };
    let because = answer.because.iter().map(|line| format!("\n  {}", harmless(line)));
    let explained = head + &because.collect::<String>();
    if gated == Some(false) {
        let first =
            format!("{service} is not gated on this host. If it were (stint gate on {service}):");
        return format!("{}\n{explained}", styled(ODD, &first));
    }
    explained
}
