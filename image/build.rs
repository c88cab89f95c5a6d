//! Passes the linker script to the link of the image.

fn main() {
    let dir = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo::rerun-if-changed=link.ld");
    println!("cargo::rustc-link-arg-bins=-T{dir}/link.ld");
    // Static and linked at one address: no relocation is left for the boot.
    println!("cargo::rustc-link-arg-bins=--no-pie");
    println!("cargo::rustc-link-arg-bins=-zmax-page-size=4096");
    println!("cargo::rustc-link-arg-bins=-znorelro");
    println!("cargo::rustc-link-arg-bins=-znoseparate-code");
    println!("cargo::rustc-link-arg-bins=--no-rosegment");
    println!("cargo::rustc-link-arg-bins=--build-id=none");
}
