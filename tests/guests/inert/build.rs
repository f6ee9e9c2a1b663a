//! Without this the linker merges its adapter's WASI into ours, and the import gets the version that the linker likes.

fn main() {
    println!("cargo:rustc-link-arg-cdylib=--wasi-adapter=none");
    println!("cargo:rerun-if-changed=build.rs");
}
