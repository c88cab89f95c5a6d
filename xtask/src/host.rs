//! The machine xtask runs on: its distribution, its privileges and its packages.
//!
//! Invariant: packages are installed only as root or through sudo; otherwise the error is the
//! one line to type.

use std::env;
use std::fs;
use std::io::IsTerminal;
use std::process::Command;

use anyhow::{Result, bail};

use crate::{paths, proc};

/// How commands that need root are started.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    /// The process is root.
    Root,
    /// `sudo` works, asking for a password only on a terminal.
    Sudo,
    /// Neither.
    None,
}

impl Privilege {
    /// Finds out, without asking anybody.
    pub fn find() -> Self {
        let root = proc::output(Command::new("id").arg("-u")).is_ok_and(|uid| uid == "0");
        if root {
            Self::Root
        } else if paths::which(&["sudo"]).is_some()
            && (proc::succeeds(Command::new("sudo").args(["-n", "true"])) || ask())
        {
            Self::Sudo
        } else {
            Self::None
        }
    }

    /// A command that runs `program` as root.
    pub fn command(self, program: &str) -> Result<Command> {
        match self {
            Self::Root => Ok(Command::new(program)),
            Self::Sudo => {
                let mut sudo = Command::new("sudo");
                sudo.args(["-n", program]);
                Ok(sudo)
            }
            Self::None => bail!("`{program}` needs root; type:\n  {}", setup_as_root()),
        }
    }
}

/// The line that runs `setup` as root for this user.
fn setup_as_root() -> String {
    let exe = env::current_exe().map_or_else(|_| "xtask".into(), |exe| exe.display().to_string());
    let kept: String = ["PATH", "HOME", "XDG_CACHE_HOME", "CARGO_TARGET_DIR"]
        .iter()
        .filter(|name| env::var_os(name).is_some())
        .map(|name| format!("{name}=\"${name}\" "))
        .collect();
    format!("sudo env {kept}{exe} setup")
}

/// After `sudo ... setup`: gives what it made to the user who typed it.
pub fn give_back() -> Result<()> {
    let (Some(user), Some(group)) = (env::var_os("SUDO_UID"), env::var_os("SUDO_GID")) else {
        return Ok(());
    };
    if Privilege::find() == Privilege::Root {
        let mut owner = user;
        owner.push(":");
        owner.push(group);
        let mut chown = Command::new("chown");
        chown
            .arg("-R")
            .arg(owner)
            .arg(paths::cache()?)
            .arg(paths::work()?);
        proc::output(&mut chown)?;
    }
    Ok(())
}

/// On a terminal, lets sudo ask for the password once; its ticket serves the later commands.
fn ask() -> bool {
    std::io::stdin().is_terminal()
        && std::io::stderr().is_terminal()
        && Command::new("sudo")
            .arg("-v")
            .status()
            .is_ok_and(|status| status.success())
}

/// A field of /etc/os-release, e.g. `VERSION_CODENAME`; empty when missing.
pub fn os_release(field: &str) -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once('='))
        .find(|(name, _)| *name == field)
        .map(|(_, value)| value.trim_matches('"').to_owned())
        .unwrap_or_default()
}

/// The Debian mirror that this machine's own apt uses; `None` off Debian.
pub fn debian_mirror() -> Option<String> {
    if os_release("ID") != "debian" {
        return None;
    }
    let codename = os_release("VERSION_CODENAME");
    let listing = proc::output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(CODENAME) $(COMPONENT) $(SITE)",
    ]))
    .ok()?;
    let prefix = format!("{codename} main ");
    listing
        .lines()
        .find_map(|line| line.strip_prefix(&prefix))
        .map(str::to_owned)
}

/// Whether apt has an index of `suite`.
pub fn has_suite(suite: &str) -> bool {
    proc::output(Command::new("apt-get").args(["indextargets", "--format", "$(CODENAME) $(SUITE)"]))
        .is_ok_and(|listing| listing.split_whitespace().any(|word| word == suite))
}

/// Whether apt could install `package`.
pub fn available(package: &str) -> bool {
    proc::output(Command::new("apt-cache").args(["policy", package]))
        .is_ok_and(|said| said.contains("Candidate:") && !said.contains("Candidate: (none)"))
}

/// Installs `packages` (from `suite` when given), saying so first.
pub fn install(packages: &[&str], suite: Option<&str>) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let listed = packages.join(" ");
    let backports = suite.map(backports_source).transpose()?.flatten();
    let privilege = Privilege::find();
    if paths::which(&["apt-get"]).is_none() || privilege == Privilege::None {
        bail!(
            "packages are missing and may not be installed from here; type:\n  {}",
            by_hand(&listed, suite, backports.as_ref())
        );
    }
    eprintln!(
        "xtask: installing {listed}{}",
        suite.map(|s| format!(" (from {s})")).unwrap_or_default()
    );
    let log = paths::logs()?.join("apt.log");
    if let Some((file, line)) = backports {
        let script = format!("echo '{line}' > {file}");
        proc::output(privilege.command("sh")?.args(["-c", &script]))?;
    }
    // A list that cannot be refreshed (another project's source, say) is no reason to stop.
    let updated = proc::step(
        "apt-get update",
        privilege.command("apt-get")?.arg("update"),
        &log,
    );
    let mut apt = privilege.command("env")?;
    apt.args([
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "install",
        "-y",
        "--no-install-recommends",
    ]);
    if let Some(suite) = suite {
        apt.args(["-t", suite]);
    }
    apt.args(packages);
    let installed = proc::step(&format!("apt-get install {listed}"), &mut apt, &log);
    match (installed, updated) {
        (Ok(()), _) => Ok(()),
        (Err(why), Ok(())) => Err(why),
        (Err(why), Err(earlier)) => Err(why.context(earlier)),
    }
}

/// The one line that does what `install` may not.
fn by_hand(packages: &str, suite: Option<&str>, source: Option<&(String, String)>) -> String {
    let add = source
        .map(|(file, line)| format!("echo '{line}' > {file} && "))
        .unwrap_or_default();
    let from = suite
        .map(|suite| format!("-t {suite} "))
        .unwrap_or_default();
    format!(
        "sudo sh -c \"{add}apt-get update; apt-get install -y --no-install-recommends {from}{packages}\""
    )
}

/// The file and line to add for `suite` when apt does not know it yet.
fn backports_source(suite: &str) -> Result<Option<(String, String)>> {
    if has_suite(suite) {
        return Ok(None);
    }
    let Some(mirror) = debian_mirror() else {
        bail!(
            "apt has no Debian mirror to take {suite} from; add {suite} to apt's sources and run again"
        );
    };
    let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
    Ok(Some((
        format!("/etc/apt/sources.list.d/xenios-{suite}.list"),
        format!("deb [signed-by={keyring}] {mirror} {suite} main"),
    )))
}
