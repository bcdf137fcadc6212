//! Tables that fit a width: columns give way in a fixed order, and cells are cut.

use super::fit::{cut, fill, width};

/// The blanks between two columns.
const GAP: usize = 2;
/// What the last column needs at least to be worth its place.
const LEAST: usize = 8;

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// What heads it.
    pub head: &'static str,
    /// The cells that it takes at most. The last column takes what is left instead.
    pub most: usize,
    /// Which column goes first when there is no room: the one with the highest number.
    pub rank: u8,
}

/// A heading and rows, each at most `room` cells wide.
pub fn lay(columns: &[Column], rows: &[Vec<String>], room: usize) -> (String, Vec<String>) {
    let wanted: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let cells = rows.iter().filter_map(|row| row.get(at));
            let cells = cells.map(|cell| width(&stint_policy::text::harmless(cell)));
            let wanted = cells.max().unwrap_or(0).max(width(column.head));
            let last = at + 1 == columns.len();
            if last { wanted.min(LEAST.max(width(column.head))) } else { wanted.min(column.most) }
        })
        .collect();
    let kept = keep(columns, &wanted, room);
    let line = |cells: &[String]| {
        let mut parts = Vec::new();
        let mut used = 0;
        for (at, wanted) in &kept {
            let cell = cells.get(*at).map(String::as_str).unwrap_or_default();
            let rest = room.saturating_sub(used);
            let last = *at + 1 == columns.len();
            parts.push(if last { cut(cell, rest) } else { fill(cell, (*wanted).min(rest)) });
            used += wanted + GAP;
        }
        cut(parts.join(&" ".repeat(GAP)).trim_end(), room)
    };
    let heads: Vec<String> = columns.iter().map(|column| column.head.to_owned()).collect();
    (line(&heads), rows.iter().map(|row| line(row)).collect())
}

/// The places and widths of the columns that there is room for; one at least.
fn keep(columns: &[Column], wanted: &[usize], room: usize) -> Vec<(usize, usize)> {
    let mut kept: Vec<(usize, usize)> = wanted.iter().copied().enumerate().collect();
    let rank = |at: usize| columns.get(at).map_or(0, |column| column.rank);
    while kept.len() > 1 && kept.iter().map(|(_, width)| width + GAP).sum::<usize>() > room + GAP {
        let goes = kept.iter().enumerate().max_by_key(|(_, (at, _))| rank(*at));
        let goes = goes.map(|(place, _)| place);
        let Some(place) = goes else { break };
        kept.remove(place);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column { head: "ID", most: 16, rank: 0 },
        Column { head: "USER", most: 6, rank: 1 },
        Column { head: "REASON", most: 0, rank: 2 },
    ];

    #[test]
    fn columns_give_way_in_their_order() {
        let rows = [vec!["g4t9".to_owned(), "alexandra".to_owned(), "the disk is full".to_owned()]];
        let laid = |room| {
            let (head, rows) = lay(&COLUMNS, &rows, room);
            format!("{head}|{}", rows[0])
        };
        assert_eq!(laid(40), "ID    USER    REASON|g4t9  alexa…  the disk is full");
        assert_eq!(laid(22), "ID    USER    REASON|g4t9  alexa…  the dis…");
        assert_eq!(laid(21), "ID    USER|g4t9  alexa…");
        assert_eq!(laid(11), "ID|g4t9");
        assert_eq!(laid(3), "ID|g4…");
        assert_eq!(laid(0), "|");
    }
}
