//! The terminal, taken and given back. Whatever happens, it is given back: at the end, at an error
//! and at a panic.

use std::io::{self, stdin, stdout};
use std::mem::ManuallyDrop;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, DisableBracketedPaste, EnableBracketedPaste, Event};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{Clear, ClearType, EnterAlternateScreen, enable_raw_mode};
use ratatui::{DefaultTerminal, Terminal};

use stint_proto::ExitStatus;

use super::board::{Line, screen};
use super::draw::draw;
use super::model::Model;

/// The whole screen of a terminal.
pub struct Screen {
    /// Its own end would print that the terminal is gone where it is gone, and panic at that.
    terminal: ManuallyDrop<DefaultTerminal>,
    styled: bool,
    /// The size of what stands there now, and its lines.
    drawn: Option<((u16, u16), Vec<Line>)>,
}

impl Screen {
    /// Takes the screen. A panic gives it back before it is told.
    ///
    /// # Errors
    /// When the terminal refuses; it is as it was then.
    pub fn take(styled: bool) -> io::Result<Self> {
        let taken = ratatui::try_init()
            .and_then(|terminal| execute!(stdout(), EnableBracketedPaste).map(|()| terminal));
        taken
            .map(|terminal| Self { terminal: ManuallyDrop::new(terminal), styled, drawn: None })
            .inspect_err(|_| give_back())
    }

    /// Columns and lines.
    ///
    /// # Errors
    /// When the terminal does not say.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        self.terminal.size().map(|size| (size.width, size.height))
    }

    /// Draws, if something else stands there.
    ///
    /// # Errors
    /// When the terminal takes nothing any more.
    pub fn draw(&mut self, model: &Model) -> io::Result<()> {
        let drawn = Some((model.size, screen(model)));
        if self.drawn != drawn {
            let styled = self.styled;
            self.terminal.draw(|frame| draw(frame, model, styled))?;
            self.drawn = drawn;
        }
        Ok(())
    }

    /// What is typed within so many milliseconds, if anything is.
    ///
    /// # Errors
    /// When the terminal gives nothing any more.
    pub fn event(&self, within: u16) -> io::Result<Option<Event>> {
        if let Some(event) = typed()? {
            return Ok(Some(event));
        }
        wait(within)?;
        typed()
    }

    /// Gives the terminal back for as long as the work takes. What was typed meanwhile and not read
    /// by the work is for nobody: it was not typed at what is shown afterwards.
    ///
    /// # Errors
    /// When the terminal cannot be taken again.
    pub fn outside<R>(&mut self, work: impl FnOnce() -> R) -> io::Result<R> {
        self.terminal.show_cursor()?;
        give_back();
        let result = work();
        enable_raw_mode()?;
        execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste)?;
        // A terminal of its own: clearing the old one would first ask where the cursor is, and the
        // answer comes in among what is typed.
        execute!(stdout(), Clear(ClearType::All))?;
        self.terminal = ManuallyDrop::new(Terminal::new(CrosstermBackend::new(stdout()))?);
        self.drawn = None;
        while typed()?.is_some() {}
        Ok(result)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.terminal.show_cursor();
        give_back();
    }
}

/// Waits until something is typed, so many milliseconds at most; a signal ends it early.
///
/// A terminal that is gone is an error here, for not everybody is sent a signal then, and a read of
/// it in the library's hands would never come back.
fn wait(within: u16) -> io::Result<()> {
    let stdin = stdin();
    let mut ready = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    match poll(&mut ready, PollTimeout::from(within)) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL;
    if ready.iter().filter_map(PollFd::revents).any(|seen| seen.intersects(gone)) {
        return Err(io::Error::other("it is gone"));
    }
    Ok(())
}

/// Ends the program when the terminal is gone, wherever it is then: the library reads one that went
/// away between a look and a read for ever. There is nobody left to be told.
///
/// # Errors
/// When the system refuses a thread.
pub fn end_with_terminal() -> io::Result<()> {
    std::thread::Builder::new().name("terminal".to_owned()).spawn(|| {
        let stdin = stdin();
        loop {
            // Nothing is asked for, so only the end of the terminal is an answer.
            let mut gone = [PollFd::new(stdin.as_fd(), PollFlags::empty())];
            match poll(&mut gone, PollTimeout::NONE) {
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) | Err(_) => std::process::exit(ExitStatus::Failed as i32),
            }
        }
    })?;
    Ok(())
}

/// What has been typed, if anything has.
fn typed() -> io::Result<Option<Event>> {
    wait(0)?;
    if event::poll(Duration::ZERO)? { event::read().map(Some) } else { Ok(None) }
}

/// Nobody could be told that this failed: it fails where the terminal is gone.
fn give_back() {
    let _ = execute!(stdout(), DisableBracketedPaste);
    let _ = ratatui::try_restore();
}
