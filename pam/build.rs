//! Has the linker make the module lean: for a cdylib cargo takes `strip = "symbols"` for debug
//! information alone, and leaves a fifth of the file to a symbol table that nobody reads; the
//! unwinder is linked in, as loading libgcc_s.so costs every sudo more than asking stintd does; and
//! the file is two parts to map instead of four, one to read and run and one to write, which GNU's
//! linker makes whole pages smaller than the one that cargo may prefer.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-cdylib=-Wl,--strip-all");
    println!("cargo::rustc-link-arg-cdylib=-fuse-ld=bfd");
    println!("cargo::rustc-link-arg-cdylib=-Wl,-z,noseparate-code");
    // The standard library asks for libgcc_s by name: this one is found first, and is the static
    // unwinder of the same compiler.
    let folder = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&folder).join("libgcc_s.so"), "INPUT(-lgcc_eh -lgcc)\n")?;
    println!("cargo::rustc-link-search=native={folder}");
    Ok(())
}
