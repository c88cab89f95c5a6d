//! The `hypfs_op` hypercall: facts of the hypervisor and settings that can be changed while it
//! runs, as files in a tree (`xenhypfs`). `hypfs.h`.
//!
//! No state: [`tree`] says what there is, and makes a file's content when it is read.

#![allow(
    non_upper_case_globals,
    reason = "operations are named as in Xen's headers"
)]

#[cfg(test)]
mod tests;
mod tree;

use crate::cx::Cx;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use alloc::vec::Vec;
use tree::Node;
use xen_abi::Errno;
use xen_abi::hypfs::*;
use zerocopy::IntoBytes;

/// The hypercall. Errors: `EPERM` without privilege; `EOPNOTSUPP` for an unknown operation; `EINVAL`
/// for arguments that have to be zero, for a path that is too long, not absolute or does not end
/// where it says, and for a buffer smaller than a record; `EFAULT`; `ENOENT`; those of [`read`]
/// and [`write`].
pub fn call(cx: &mut Cx, [cmd, path, path_len, buffer, len]: [u64; 5]) -> HyperResult {
    cx.dom.require_privilege()?;
    if cmd as u32 == XEN_HYPFS_OP_get_version {
        if [path, path_len, buffer, len] != [0; 4] {
            return Err(Errno::EINVAL.into());
        }
        return Ok(XEN_HYPFS_VERSION.into());
    }
    // Looked at before the operation, as on Xen.
    let node = find(cx, path, path_len)?;
    match cmd as u32 {
        XEN_HYPFS_OP_read => read(cx, &node, buffer, len),
        XEN_HYPFS_OP_write_contents => write(cx, &node, buffer, len),
        _ => Err(Errno::EOPNOTSUPP.into()),
    }
}

/// The node at a path of the caller's.
fn find(cx: &mut Cx, path: u64, len: u64) -> Result<Node, Errno> {
    let mut bytes = [0; XEN_HYPFS_MAX_PATHLEN as usize];
    let part = usize::try_from(len)
        .ok()
        .and_then(|len| bytes.get_mut(..len));
    let part = part.ok_or(Errno::EINVAL)?;
    cx.copy_in_bytes(GuestPtr::new(path), part)?;
    let Some((0, text)) = part.split_last() else {
        return Err(Errno::EINVAL);
    };
    if text.first() != Some(&b'/') || text.contains(&0) {
        return Err(Errno::EINVAL);
    }
    let mut node = tree::ROOT;
    for name in text
        .split(|&byte| byte == b'/')
        .filter(|name| !name.is_empty())
    {
        node = node.child(cx.hv, name).ok_or(Errno::ENOENT)?;
    }
    Ok(node)
}

/// Hands out a node's record and what is in it. Errors: `ENOBUFS` when that does not fit: then
/// the record alone, which says how long it is; `ENOMEM`.
fn read(cx: &mut Cx, node: &Node, buffer: u64, len: u64) -> HyperResult {
    if len < size_of::<HypfsDirentry>() as u64 {
        return Err(Errno::EINVAL.into());
    }
    let mut content = Vec::new();
    node.content(cx.hv, &mut content)?;
    let record = node.record(content.len());
    cx.copy_out(GuestPtr::new(buffer), &record)?;
    let room = len - size_of::<HypfsDirentry>() as u64;
    if content.len() as u64 > room {
        return Err(Errno::ENOBUFS.into());
    }
    let at = GuestPtr::<HypfsDirentry>::new(buffer).add(1).addr();
    cx.copy_out_bytes(GuestPtr::new(at), &content)?;
    Ok(0)
}

/// Changes a setting. Errors: `EACCES` for what cannot be written; `ENOSPC` for more than fits;
/// `EINVAL` for text that does not end with its only zero, or says nothing sensible.
fn write(cx: &mut Cx, node: &Node, buffer: u64, len: u64) -> HyperResult {
    let Node::Setting(setting) = node else {
        return Err(Errno::EACCES.into());
    };
    let mut bytes = [0; tree::MAX_TEXT];
    let part = usize::try_from(len)
        .ok()
        .and_then(|len| bytes.get_mut(..len));
    let part = part.ok_or(Errno::ENOSPC)?;
    cx.copy_in_bytes(GuestPtr::new(buffer), part)?;
    let Some((0, text)) = part.split_last() else {
        return Err(Errno::EINVAL.into());
    };
    if text.contains(&0) {
        return Err(Errno::EINVAL.into());
    }
    let text = str::from_utf8(text).map_err(|_| Errno::EINVAL)?;
    (setting.set)(cx.hv, text).ok_or(Errno::EINVAL)?;
    Ok(0)
}

/// Appends what `bytes` is to a buffer. Errors: `ENOMEM`.
fn append(to: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Errno> {
    to.try_reserve(bytes.len()).map_err(|_| Errno::ENOMEM)?;
    to.extend_from_slice(bytes);
    Ok(())
}

/// Appends the record of a directory's entry, as `struct xen_hypfs_dirlistentry`: the record, how
/// far the next one is (zero for none; see [`end_list`]), the name, and zeros up to where the
/// next record is aligned. Errors: `ENOMEM`.
fn list(to: &mut Vec<u8>, name: &[u8], record: &HypfsDirentry) -> Result<(), Errno> {
    let used = size_of::<HypfsDirentry>() + size_of::<u16>() + name.len() + 1;
    let size = used.next_multiple_of(align_of::<HypfsDirentry>());
    append(to, record.as_bytes())?;
    append(to, (size as u16).as_bytes())?;
    append(to, name)?;
    for _ in 0..size - used + 1 {
        append(to, &[0])?;
    }
    Ok(())
}

/// Marks the entry that begins at `last` as the last one.
fn end_list(list: &mut [u8], last: usize) {
    let at = last + size_of::<HypfsDirentry>();
    if let Some(next) = list.get_mut(at..at + size_of::<u16>()) {
        next.fill(0);
    }
}
