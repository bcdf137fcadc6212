//! Has the linker make the module lean, and refuse one that could panic: for a cdylib cargo takes
//! `strip = "symbols"` for debug information alone, and leaves a fifth of the file to a symbol table
//! that nobody reads; and the file is two parts to map instead of four, one to read and run and one
//! to write, which GNU's linker makes whole pages smaller than the one that cargo may prefer.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(pam_stint_panics)");
    println!("cargo::rustc-link-arg-cdylib=-Wl,--strip-all");
    println!("cargo::rustc-link-arg-cdylib=-fuse-ld=bfd");
    println!("cargo::rustc-link-arg-cdylib=-Wl,-z,noseparate-code");
    // What is undefined shows that something can panic: no_panic.rs.
    println!("cargo::rustc-link-arg-cdylib=-Wl,-z,defs");
}
