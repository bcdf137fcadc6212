//! Has the linker strip the module: for a cdylib cargo takes `strip = "symbols"` for debug
//! information alone, and leaves a fifth of the file to a symbol table that nobody reads.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-cdylib=-Wl,--strip-all");
}
