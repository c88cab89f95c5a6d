//! Which QEMU runs: the one in `PATH` when it is new enough, else one of Debian 13 kept in the cache.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::setup::{self, Need};
use crate::{dom0, host, paths, proc};

/// QEMU's x86-64 system emulator.
pub const QEMU: &str = "qemu-system-x86_64";

/// The oldest QEMU that boots a PV dom0: before it an IRET in ring 3 faults under SMAP.
const MIN: (u32, u32) = (9, 1);

/// Finds or installs a QEMU that is new enough.
pub fn ensure() -> Result<()> {
    if new_enough(Command::new(QEMU)) || own().is_some() {
        return Ok(());
    }
    if host::os_release("VERSION_CODENAME") == "bookworm" {
        let packages = [
            "qemu-system-x86",
            "qemu-system-data",
            "qemu-utils",
            "seabios",
        ];
        host::install(&packages, Some("bookworm-backports"))?;
    } else if candidate().is_some_and(|version| version >= MIN) {
        host::install(&["qemu-system-x86"], None)?;
    } else {
        fetch()?;
    }
    if new_enough(Command::new(QEMU)) || own().is_some() {
        return Ok(());
    }
    bail!(
        "{QEMU} {}.{} or later is needed; install one first in PATH",
        MIN.0,
        MIN.1
    )
}

/// A command that starts QEMU, its arguments to be added.
pub fn command() -> Command {
    if new_enough(Command::new(QEMU)) {
        return Command::new(QEMU);
    }
    own().unwrap_or_else(|| Command::new(QEMU))
}

/// The emulator in the cache, run with its own loader, libraries, firmware and modules, so that
/// it suits any distribution.
fn own() -> Option<Command> {
    let root = root().ok()?;
    let qemu = program(&root);
    if !root.exists() || !qemu.exists() {
        return None;
    }
    let usr = root.join("usr");
    let libraries = usr.join("lib/x86_64-linux-gnu");
    let mut command = Command::new(usr.join("lib64/ld-linux-x86-64.so.2"));
    command.env("QEMU_MODULE_DIR", libraries.join("qemu"));
    command.arg("--library-path").arg(&libraries).arg(qemu);
    for data in ["share/qemu", "share/seabios", "lib/ipxe/qemu"] {
        command.arg("-L").arg(usr.join(data));
    }
    Some(command)
}

/// The executable that goes with `root`.
fn program(root: &Path) -> PathBuf {
    root.with_extension("bin")
}

/// Where Debian's QEMU looks for modules; another version's there would stop it.
const MODULES: &[u8] = b"/usr/lib/x86_64-linux-gnu/qemu\0";

/// The same program without its fixed directory of modules: QEMU_MODULE_DIR names ours.
fn without_modules(mut program: Vec<u8>) -> Vec<u8> {
    let found: Vec<usize> = program
        .windows(MODULES.len())
        .enumerate()
        .filter(|(_, window)| *window == MODULES)
        .map(|(at, _)| at)
        .collect();
    for at in found {
        program[at + 1] = b'-';
    }
    program
}

/// Where `fetch` puts it.
fn root() -> Result<PathBuf> {
    Ok(paths::cache()?.join("qemu-trixie"))
}

/// Unpacks Debian 13's QEMU into the cache.
fn fetch() -> Result<()> {
    setup::ensure(&[Need::Dom0])?;
    let root = root()?;
    let building = root.with_extension("new");
    let packages = "qemu-system-x86,seabios,ipxe-qemu";
    let log = paths::logs()?.join("qemu-install.log");
    dom0::debootstrap(
        "QEMU of Debian 13 (this distribution's is too old)",
        packages,
        &building,
        &log,
    )?;
    let qemu = fs::read(building.join("usr/bin").join(QEMU))?;
    fs::write(program(&root), without_modules(qemu))?;
    fs::set_permissions(program(&root), fs::Permissions::from_mode(0o755))?;
    fs::rename(&building, &root).with_context(|| format!("cannot make {}", root.display()))
}

fn new_enough(mut command: Command) -> bool {
    proc::output(command.arg("--version"))
        .ok()
        .and_then(|said| {
            version(
                said.split_whitespace()
                    .skip_while(|word| *word != "version")
                    .nth(1)?,
            )
        })
        .is_some_and(|found| found >= MIN)
}

/// The version that apt would install.
fn candidate() -> Option<(u32, u32)> {
    let said = proc::output(Command::new("apt-cache").args(["policy", "qemu-system-x86"])).ok()?;
    let line = said
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate: "))?;
    // An epoch comes before a colon.
    version(line.split_once(':').map_or(line, |(_, rest)| rest))
}

fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text
        .split(['.', '+', '-', '~'])
        .map_while(|part| part.parse().ok());
    Some((parts.next()?, parts.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_directory_is_blanked() {
        let program = without_modules(b"a\0/usr/lib/x86_64-linux-gnu/qemu\0b".to_vec());
        assert_eq!(program, b"a\0/-sr/lib/x86_64-linux-gnu/qemu\0b");
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(version("10.0.2"), Some((10, 0)));
        assert_eq!(version("8.2.2+ds-0ubuntu1"), Some((8, 2)));
        assert_eq!(version("(none)"), None);
    }
}
