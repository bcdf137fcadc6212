//! What happens when the module panics: it does not link.
//!
//! There is nothing that a library in somebody else's process could do then that would be right: to
//! end the process is not its business, and to unwind needs a runtime that is ten times the module.
//! So the handler calls a function that does not exist. The compiler drops the handler where it can
//! show that nothing reaches it; where it cannot, the linker names this function, and the build
//! fails. `pam/build.rs` has the linker refuse what is undefined.

use core::panic::PanicInfo;

unsafe extern "C" {
    fn pam_stint_could_panic() -> !;
}

#[panic_handler]
fn handle(_: &PanicInfo<'_>) -> ! {
    // SAFETY: it is never called, as the module does not link with it.
    unsafe { pam_stint_could_panic() }
}

/// Something that could panic, for the test that such a module does not link.
#[cfg(pam_stint_panics)]
#[unsafe(no_mangle)]
extern "C" fn pam_sm_panics(number: core::ffi::c_int) {
    assert!(number == 0);
}
