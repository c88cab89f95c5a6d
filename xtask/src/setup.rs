//! What the commands need of the machine, and how to get it.
//!
//! Invariant: `ensure` returns only when every need asked for is met.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{emulator, host, paths, toolchain};

/// Something a command cannot do without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// A QEMU whose TCG can run a PV dom0 (9.1 or later).
    Qemu,
    /// What builds the dom0 image.
    Dom0,
    /// What makes a bootable ISO, and the UEFI firmware to boot it with.
    Iso,
    /// A compiler with a bare-metal `core`.
    Metal,
}

/// Every need, for `setup` and `test`.
pub const ALL: [Need; 4] = [Need::Qemu, Need::Dom0, Need::Iso, Need::Metal];

/// Checks each of `needs` and installs what is missing.
pub fn ensure(needs: &[Need]) -> Result<()> {
    let mut packages: Vec<&str> = Vec::new();
    if needs.contains(&Need::Dom0) {
        want(&mut packages, "debootstrap", command("debootstrap"));
        want(&mut packages, "e2fsprogs", command("mke2fs"));
        want(
            &mut packages,
            "debian-archive-keyring",
            KEYRING.iter().any(exists),
        );
    }
    if needs.contains(&Need::Iso) {
        want(&mut packages, "grub-common", command("grub-mkrescue"));
        want(
            &mut packages,
            "grub-pc-bin",
            exists(&"/usr/lib/grub/i386-pc/multiboot2.mod"),
        );
        want(
            &mut packages,
            "grub-efi-amd64-bin",
            exists(&"/usr/lib/grub/x86_64-efi/multiboot2.mod"),
        );
        want(&mut packages, "xorriso", command("xorriso"));
        want(&mut packages, "mtools", command("mformat"));
        want(&mut packages, "ovmf", ovmf().is_some());
    }
    host::install(&packages, None)?;
    if needs.contains(&Need::Qemu) {
        emulator::ensure()?;
    }
    if needs.contains(&Need::Metal) {
        toolchain::find()?;
    }
    Ok(())
}

const KEYRING: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
];

/// The UEFI firmware: code and variable store.
pub fn ovmf() -> Option<(PathBuf, PathBuf)> {
    [
        ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"),
        ("OVMF_CODE.fd", "OVMF_VARS.fd"),
    ]
    .map(|(code, vars)| {
        (
            Path::new("/usr/share/OVMF").join(code),
            Path::new("/usr/share/OVMF").join(vars),
        )
    })
    .into_iter()
    .find(|(code, vars)| code.exists() && vars.exists())
}

fn want<'a>(packages: &mut Vec<&'a str>, package: &'a str, there: bool) {
    if !there {
        packages.push(package);
    }
}

fn command(name: &str) -> bool {
    paths::which(&[name]).is_some()
}

fn exists(path: &&str) -> bool {
    Path::new(path).exists()
}
