//! The Debian 13 dom0: its root file system, kernel and initrd, and the real Xen to compare with.
//!
//! Made once by debootstrap and kept in the per-user cache under a name that is a hash of the
//! recipe. Invariant: a directory of that name is whole, because it is built elsewhere and
//! renamed; QEMU opens the disk as a snapshot, so nothing ever writes to it.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

use crate::host::{self, Privilege};
use crate::setup::{self, Need};
use crate::{paths, proc};

const SUITE: &str = "trixie";

/// What the image holds beyond Debian's minimal base. The hypervisor's package is there to be
/// copied out of it.
const PACKAGES: &str = "xen-utils-4.20,xenstore-utils,xen-utils-common,xen-hypervisor-4.20-amd64,\
linux-image-amd64,kmod,iproute2,iputils-ping,busybox-static,procps,pciutils,udev,\
fio,iperf3,lvm2,grub-xen-host";

/// Size of the (sparse) file system.
const SIZE: &str = "2G";

/// Changes when the recipe below changes in a way its constants do not show.
const RECIPE: u32 = 2;

/// A built dom0.
pub struct Dom0 {
    dir: PathBuf,
}

impl Dom0 {
    /// The root file system, for a disk opened as a snapshot.
    pub fn disk(&self) -> PathBuf {
        self.dir.join("dom0.img")
    }

    /// Debian's kernel, a bzImage.
    pub fn kernel(&self) -> PathBuf {
        self.dir.join("vmlinuz")
    }

    /// Debian's initrd.
    pub fn initrd(&self) -> PathBuf {
        self.dir.join("initrd.img")
    }

    /// The real Xen 4.20, uncompressed.
    pub fn xen(&self) -> PathBuf {
        self.dir.join("xen.elf")
    }
}

/// The dom0 of the current recipe, built if this user has none yet (some minutes).
pub fn ensure() -> Result<Dom0> {
    let cache = paths::cache()?;
    let digest = Sha256::digest(format!("{SUITE} {PACKAGES} {SIZE} {RECIPE}"));
    let key: String = digest
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let dir = cache.join(format!("dom0-{key}"));
    if dir.exists() {
        return Ok(Dom0 { dir });
    }
    // Another clone may be building the same: wait for it rather than do it twice.
    let lock = File::create(cache.join("lock"))?;
    lock.lock().context("cannot lock the cache")?;
    if !dir.exists() {
        setup::ensure(&[Need::Dom0])?;
        let building = cache.join(format!("dom0-{key}.new"));
        let privilege = Privilege::find();
        remove(privilege, &building)?;
        fs::create_dir_all(&building)?;
        build(privilege, &building)?;
        fs::rename(&building, &dir)?;
    }
    Ok(Dom0 { dir })
}

fn build(privilege: Privilege, dir: &Path) -> Result<()> {
    let root = dir.join("root");
    let log = paths::logs()?.join("dom0.log");
    let what = "Debian 13 root file system (2 to 5 minutes)";
    debootstrap(what, PACKAGES, &root, &log)?;

    let boot = root.join("boot");
    take(privilege, &newest(&boot, "vmlinuz-")?, &dir.join("vmlinuz"))?;
    take(
        privilege,
        &newest(&boot, "initrd.img-")?,
        &dir.join("initrd.img"),
    )?;
    let packed = dir.join("xen.gz");
    take(privilege, &boot.join("xen-4.20-amd64.gz"), &packed)?;
    let mut xen = GzDecoder::new(BufReader::new(File::open(&packed)?));
    io::copy(&mut xen, &mut File::create(dir.join("xen.elf"))?).context("cannot unpack Xen")?;

    // What only weighs the image down.
    let mut clean = privilege.command("sh")?;
    clean.arg("-ec").arg(
        "cd \"$1\"; rm -rf var/cache/apt/* var/lib/apt/lists/* usr/share/doc usr/share/man \
         usr/share/locale; echo dom0 > etc/hostname; echo '127.0.0.1 localhost dom0' > etc/hosts",
    );
    proc::output(clean.arg("sh").arg(&root))?;

    let disk = dir.join("dom0.img");
    let mut mke2fs = privilege.command("mke2fs")?;
    mke2fs
        .args([
            "-q",
            "-t",
            "ext4",
            "-L",
            "dom0",
            "-E",
            "root_owner=0:0",
            "-d",
        ])
        .arg(&root);
    proc::step("dom0 disk", mke2fs.arg(&disk).arg(SIZE), &log)?;
    if privilege == Privilege::Sudo {
        let owner = proc::output(std::process::Command::new("id").arg("-u"))?;
        proc::output(privilege.command("chown")?.arg("-R").arg(owner).arg(&disk))?;
    }
    remove(privilege, &root)
}

/// Unpacks a minimal Debian 13 with `packages` into `root`, as its only content.
pub fn debootstrap(what: &str, packages: &str, root: &Path, log: &Path) -> Result<()> {
    let privilege = Privilege::find();
    remove(privilege, root)?;
    let mut command = privilege.command("debootstrap")?;
    command
        .args(["--variant=minbase", "--arch=amd64", "--merged-usr"])
        .arg(format!("--include={packages}"))
        .arg(SUITE)
        .arg(root);
    if let Some(mirror) = host::debian_mirror() {
        command.arg(mirror);
    }
    proc::step(what, &mut command, log)
}

/// The entry of `dir` that starts with `prefix`, the last in order if there are several.
fn newest(dir: &Path, prefix: &str) -> Result<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(dir)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(prefix))
        })
        .collect();
    found.sort();
    found
        .pop()
        .with_context(|| format!("debootstrap left no {prefix}* in {}", dir.display()))
}

/// Copies a file that only root may be able to read; the copy belongs to the user.
fn take(privilege: Privilege, from: &Path, to: &Path) -> Result<()> {
    if privilege == Privilege::Sudo {
        let mut cat = privilege.command("cat")?;
        let file = File::create(to)?;
        let status = cat.arg(from).stdout(file).status()?;
        anyhow::ensure!(status.success(), "cannot read {}", from.display());
        return Ok(());
    }
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

fn remove(privilege: Privilege, dir: &Path) -> Result<()> {
    if dir.exists() {
        proc::output(
            privilege
                .command("rm")?
                .args(["-rf", "--one-file-system"])
                .arg(dir),
        )?;
    }
    Ok(())
}
