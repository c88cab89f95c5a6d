//! What there is to read: the directories, the files, and how each comes to its content.
//!
//! To add a file, add a row to its directory; to add a setting, a [`Setting`].

use super::{append, end_list, list};
use crate::cmdline::{Stamp, log_limits, stamp};
use crate::hv::Hypervisor;
use crate::hypercall::version;
use alloc::vec::Vec;
use arrayvec::ArrayString;
use core::fmt::Write;
use xen_abi::Errno;
use xen_abi::hypfs::*;

/// Longest text of a setting, with the zero at its end.
pub const MAX_TEXT: usize = 64;

/// A file or a directory.
#[derive(Clone, Copy)]
pub enum Node {
    /// A directory whose entries are known beforehand.
    Dir(&'static [(&'static str, Node)]),
    /// The directory of the pools of CPUs.
    Pools,
    /// A pool's directory, which is the same for all.
    Pool,
    /// Text that does not change.
    Text(&'static str),
    /// A number that does not change.
    Number(u32),
    /// Text that the tools may change.
    Setting(&'static Setting),
}

/// A setting.
pub struct Setting {
    /// What it is now.
    get: fn(&Hypervisor) -> ArrayString<MAX_TEXT>,
    /// Changes it; `None` for a text that says nothing sensible.
    pub set: fn(&Hypervisor, &str) -> Option<()>,
}

/// The tree.
pub const ROOT: Node = Node::Dir(&[
    (
        "buildinfo",
        Node::Dir(&[
            ("changeset", Node::Text(version::CHANGESET)),
            (
                "compileinfo",
                Node::Dir(&[
                    ("compile_by", Node::Text(version::COMPILED_BY)),
                    ("compile_date", Node::Text(version::BUILD_DATE)),
                    ("compile_domain", Node::Text("")),
                    ("compiler", Node::Text(version::COMPILER)),
                ]),
            ),
            (
                "version",
                Node::Dir(&[
                    ("extra", Node::Text(version::EXTRA_VERSION)),
                    ("major", Node::Number(version::VERSION.0)),
                    ("minor", Node::Number(version::VERSION.1)),
                ]),
            ),
        ]),
    ),
    ("cpupool", Node::Pools),
    (
        "params",
        Node::Dir(&[
            ("console_timestamps", Node::Setting(&TIMESTAMPS)),
            ("guest_loglvl", Node::Setting(&GUEST_LOGLVL)),
            ("loglvl", Node::Setting(&LOGLVL)),
        ]),
    ),
]);

const TIMESTAMPS: Setting = Setting {
    get: |hv| {
        text(match hv.console.stamp() {
            Stamp::None => "none",
            Stamp::Date => "date",
            Stamp::DateMs => "datems",
            Stamp::Boot => "boot",
            Stamp::Raw => "raw",
        })
    },
    set: |hv, text| {
        hv.console.set_stamp(stamp(text).ok()?);
        Some(())
    },
};

const LOGLVL: Setting = Setting {
    get: |hv| text(hv.console.own.get()),
    set: |hv, text| {
        hv.console.own.set(log_limits(text).ok()?);
        Some(())
    },
};

const GUEST_LOGLVL: Setting = Setting {
    get: |hv| text(hv.console.guests.get()),
    set: |hv, text| {
        hv.console.guests.set(log_limits(text).ok()?);
        Some(())
    },
};

fn text(value: impl core::fmt::Display) -> ArrayString<MAX_TEXT> {
    let mut text = ArrayString::new();
    // None of them is longer.
    let _ = write!(text, "{value}");
    text
}

impl Node {
    /// The entry called `name`.
    pub fn child(&self, hv: &Hypervisor, name: &[u8]) -> Option<Node> {
        match *self {
            Node::Dir(entries) => {
                let found = entries.iter().find(|(is, _)| is.as_bytes() == name);
                found.map(|&(_, node)| node)
            }
            Node::Pools => {
                let id = str::from_utf8(name).ok()?.parse().ok()?;
                let same = text(id).as_bytes() == name;
                hv.sched.pool(id).filter(|_| same).map(|_| Node::Pool)
            }
            Node::Pool if name == b"sched-gran" => Some(Node::Text("cpu")),
            _ => None,
        }
    }

    /// Its record, when its content has `len` bytes.
    pub fn record(&self, len: usize) -> HypfsDirentry {
        HypfsDirentry {
            r#type: match self {
                Node::Dir(_) | Node::Pools | Node::Pool => XEN_HYPFS_TYPE_DIR,
                Node::Text(_) | Node::Setting(_) => XEN_HYPFS_TYPE_STRING,
                Node::Number(_) => XEN_HYPFS_TYPE_UINT,
            },
            encoding: XEN_HYPFS_ENC_PLAIN,
            pad: 0,
            content_len: len as u32,
            max_write_len: match self {
                Node::Setting(_) => MAX_TEXT as u32,
                _ => 0,
            },
        }
    }

    /// Appends its content to `to`: text with a zero at the end, a number's bytes, or a
    /// directory's records. Errors: `ENOMEM`.
    pub fn content(&self, hv: &Hypervisor, to: &mut Vec<u8>) -> Result<(), Errno> {
        let mut last = to.len();
        match self {
            Node::Text(text) => {
                append(to, text.as_bytes())?;
                append(to, &[0])?;
            }
            Node::Setting(setting) => {
                append(to, (setting.get)(hv).as_bytes())?;
                append(to, &[0])?;
            }
            Node::Number(number) => append(to, &number.to_le_bytes())?,
            Node::Dir(entries) => {
                for (name, node) in *entries {
                    last = to.len();
                    list(to, name.as_bytes(), &node.record(node.len(hv)?))?;
                }
                end_list(to, last);
            }
            Node::Pools => {
                let mut next = Some(0);
                while let Some(pool) = next.and_then(|id| hv.sched.pool_from(id)) {
                    last = to.len();
                    let record = Node::Pool.record(Node::Pool.len(hv)?);
                    list(to, text(pool.id).as_bytes(), &record)?;
                    next = pool.id.checked_add(1);
                }
                end_list(to, last);
            }
            Node::Pool => {
                let gran = Node::Text("cpu");
                list(to, b"sched-gran", &gran.record(gran.len(hv)?))?;
                end_list(to, last);
            }
        }
        Ok(())
    }

    fn len(&self, hv: &Hypervisor) -> Result<usize, Errno> {
        let mut content = Vec::new();
        self.content(hv, &mut content)?;
        Ok(content.len())
    }
}
