//! The compiler for bare metal: one with a `core` built for, or buildable for,
//! `x86_64-unknown-none`.
//!
//! The hosted target's `core` will not do: it uses SSE registers, which belong to the guest.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::{host, paths, proc};

/// The bare-metal target.
pub const TARGET: &str = "x86_64-unknown-none";

/// Flags, besides those of the workspace, that make indirect branches through
/// `__x86_indirect_thunk_r11`, and say so to the code. All of `core` has to be built like that.
const THUNKS: &str = "target.x86_64-unknown-none.rustflags=\
    ['-Zretpoline-external-thunk', '--cfg=retpoline']";

/// The packages of Debian's matching compiler, cargo and library source.
const DEBIAN: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];

/// The oldest compiler the workspace builds with.
const RUST_MIN: (u32, u32) = (1, 95);

/// A way to build for bare metal.
pub struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    build_std: bool,
}

impl Toolchain {
    /// `cargo build` for the bare-metal target, `core` included, into `target/DIR`. With
    /// `thunks`, and where `core` is built along, indirect branches go through a thunk that the
    /// program has to bring.
    pub fn cargo_build(&self, dir: &str, thunks: bool) -> Command {
        let mut cargo = Command::new(&self.cargo);
        // What the cargo that runs xtask set for itself is not meant for this one.
        for name in [
            "RUSTUP_TOOLCHAIN",
            "CARGO",
            "LD_LIBRARY_PATH",
            "CARGO_MANIFEST_DIR",
        ] {
            cargo.env_remove(name);
        }
        cargo
            .env("RUSTC", &self.rustc)
            .arg("build")
            .args(["--target", TARGET]);
        if self.build_std {
            cargo.env("RUSTC_BOOTSTRAP", "1").args([
                "-Zbuild-std=core,alloc,compiler_builtins",
                "-Zbuild-std-features=compiler-builtins-mem",
            ]);
        }
        if !self.has_lld() {
            cargo.env("CARGO_TARGET_X86_64_UNKNOWN_NONE_LINKER", "ld.lld");
        }
        if thunks && self.build_std {
            cargo.args(["--config", THUNKS]);
        }
        cargo.arg("--target-dir").arg(paths::target().join(dir));
        cargo
    }

    /// Whether the compiler brings its own `rust-lld`.
    fn has_lld(&self) -> bool {
        sysroot(&self.rustc).is_some_and(|root| {
            root.join("lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld")
                .exists()
        })
    }
}

/// Finds a toolchain, installing one when there is none.
pub fn find() -> Result<Toolchain> {
    let own = Toolchain {
        cargo: "cargo".into(),
        rustc: "rustc".into(),
        build_std: false,
    };
    let found = if has_target(&own.rustc) {
        own
    } else if has_source(&own.rustc) {
        Toolchain {
            build_std: true,
            ..own
        }
    } else if let Some(debian) = debian() {
        debian
    } else if rustup_adds_target() && has_target(&own.rustc) {
        own
    } else if host::available(DEBIAN[0]) {
        host::install(&DEBIAN, None)?;
        match debian() {
            Some(debian) => debian,
            None => bail!(
                "{} is older than Rust {}.{}; install a newer one with rustup: \
                `rustup target add {TARGET}`",
                DEBIAN[0],
                RUST_MIN.0,
                RUST_MIN.1
            ),
        }
    } else {
        bail!("no `core` for bare metal; with a network, type:\n  rustup target add {TARGET}");
    };
    if !found.has_lld() && paths::which(&["ld.lld"]).is_none() {
        host::install(&["lld"], None)?;
    }
    Ok(found)
}

fn rustup_adds_target() -> bool {
    paths::which(&["rustup"]).is_some() && {
        let shown = proc::Progress::start(&format!("rustup target add {TARGET}"));
        let ok = proc::succeeds(
            Command::new("timeout").args(["120", "rustup", "target", "add", TARGET]),
        );
        shown.finish(ok);
        ok
    }
}

/// Debian's set, when it is whole and new enough.
fn debian() -> Option<Toolchain> {
    let rustc = PathBuf::from("/usr/bin/rustc");
    let cargo = PathBuf::from("/usr/bin/cargo");
    let there = cargo.exists() && rustc.exists() && has_source(&rustc);
    (there && version(&rustc)? >= RUST_MIN).then_some(Toolchain {
        cargo,
        rustc,
        build_std: true,
    })
}

fn version(rustc: &Path) -> Option<(u32, u32)> {
    let said = bare(rustc, &["--version"])?;
    let mut parts = said
        .split_whitespace()
        .nth(1)?
        .split('.')
        .map_while(|part| part.parse().ok());
    Some((parts.next()?, parts.next()?))
}

fn has_target(rustc: &Path) -> bool {
    bare(rustc, &["--print", "target-libdir", "--target", TARGET])
        .and_then(|dir| std::fs::read_dir(dir).ok())
        .is_some_and(|entries| {
            entries
                .flatten()
                .any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
        })
}

fn has_source(rustc: &Path) -> bool {
    sysroot(rustc).is_some_and(|root| {
        root.join("lib/rustlib/src/rust/library/core/src/lib.rs")
            .exists()
    })
}

fn sysroot(rustc: &Path) -> Option<PathBuf> {
    bare(rustc, &["--print", "sysroot"]).map(PathBuf::from)
}

fn bare(rustc: &Path, args: &[&str]) -> Option<String> {
    proc::output(Command::new(rustc).args(args).env_remove("LD_LIBRARY_PATH")).ok()
}
