//! The versions of the tools' interface that one build serves.
//!
//! A version counts up when a structure or its meaning changes so that older tools would be
//! misunderstood; additions do not count. Each version says which commands differ in it from the
//! layouts of `abi` (Xen 4.20's). A command that differs is only served when a row here converts
//! it, so a tool is refused rather than misread.

use xen_abi::Errno;
use xen_abi::domctl::{XEN_DOMCTL_INTERFACE_VERSION, XEN_DOMCTL_get_domain_state};
use xen_abi::sysctl::*;

/// One version of an interface.
#[derive(Debug)]
pub struct Version {
    /// Its number.
    pub nr: u32,
    /// Whose tools pass it.
    pub releases: &'static str,
    /// Commands that mean something else in it, and that are refused.
    pub differs: &'static [u32],
}

/// Of `domctl`.
///
/// 0x18 is not known from a released header but from the change that made it: it added a field
/// to a structure of Arm's, in what was padding, and left x86's alone.
pub const DOMCTL: &[Version] = &[
    Version {
        nr: XEN_DOMCTL_INTERFACE_VERSION,
        releases: "4.19 to 4.21",
        differs: &[],
    },
    Version {
        nr: 0x18,
        releases: "4.22",
        differs: &[],
    },
];

/// Of a `domctl` command. Some are stable: their layouts never change, and they have version 0
/// only.
fn of_domctl(cmd: u32) -> &'static [Version] {
    if cmd == XEN_DOMCTL_get_domain_state {
        STABLE
    } else {
        DOMCTL
    }
}

/// Of commands that never change.
const STABLE: &[Version] = &[Version {
    nr: 0,
    releases: "4.21 and later",
    differs: &[],
}];

/// Version `nr` of `domctl`, for command `cmd`. Errors: `EACCES` when it is not served.
pub fn find_domctl(cmd: u32, nr: u32) -> Result<&'static Version, Errno> {
    find(of_domctl(cmd), nr)
}

/// Of `sysctl`.
///
/// 0x16 takes the room for names and metadata from the caller of `livepatch_op`'s list, and a
/// change that was proposed for it does the same with `get_pmstat`'s number of states.
pub const SYSCTL: &[Version] = &[
    Version {
        nr: XEN_SYSCTL_INTERFACE_VERSION,
        releases: "4.17 to 4.20",
        differs: &[],
    },
    Version {
        nr: 0x16,
        releases: "4.21, 4.22",
        differs: &[XEN_SYSCTL_livepatch_op, XEN_SYSCTL_get_pmstat],
    },
];

/// The version `nr` of an interface. Errors: `EACCES` when it is not served.
pub fn find(versions: &'static [Version], nr: u32) -> Result<&'static Version, Errno> {
    let found = versions.iter().find(|version| version.nr == nr);
    found.ok_or(Errno::EACCES)
}

impl Version {
    /// Whether `command` may be served. Errors: `ENOSYS` when it means something else in this
    /// version.
    pub fn serves(&self, command: u32) -> Result<(), Errno> {
        if self.differs.contains(&command) {
            Err(Errno::ENOSYS)
        } else {
            Ok(())
        }
    }
}
