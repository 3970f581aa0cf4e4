//! Compiles the few lines of C++ between LightGBM's network and ours.

fn main() {
    println!("cargo:rerun-if-changed=src/collective.cpp");
    cc::Build::new().cpp(true).std("c++14").file("src/collective.cpp").compile("trees_collective");
}
