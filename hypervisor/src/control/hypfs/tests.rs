//! The tree as a tool sees it, and tools that are wrong.

use super::call;
use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use crate::testing::{DATA_VA, World};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use xen_abi::Errno;
use xen_abi::hypfs::*;

const BUFFER: u64 = DATA_VA + 0x1000;

fn fails<T>(errno: Errno) -> Result<T, Fail> {
    Err(errno.into())
}

fn op(cx: &mut Cx, cmd: u32, path: &[u8], len: u64) -> HyperResult {
    cx.copy_out_bytes(GuestPtr::new(DATA_VA), path).unwrap();
    call(cx, [cmd.into(), DATA_VA, path.len() as u64, BUFFER, len])
}

fn read(cx: &mut Cx, path: &str) -> Result<(HypfsDirentry, Vec<u8>), Fail> {
    let path: Vec<u8> = path.bytes().chain([0]).collect();
    op(cx, XEN_HYPFS_OP_read, &path, 4096)?;
    let record: HypfsDirentry = cx.copy_in(GuestPtr::new(BUFFER)).unwrap();
    let mut content = Vec::from_iter((0..record.content_len).map(|_| 0xee));
    cx.copy_in_bytes(GuestPtr::new(BUFFER + 12), &mut content)
        .unwrap();
    Ok((record, content))
}

fn text(cx: &mut Cx, path: &str) -> String {
    let (record, mut content) = read(cx, path).unwrap();
    assert_eq!(record.r#type, XEN_HYPFS_TYPE_STRING);
    assert_eq!(content.pop(), Some(0));
    String::from_utf8(content).unwrap()
}

/// The entries of a directory.
fn names(cx: &mut Cx, path: &str) -> Vec<(String, u8)> {
    let (record, content) = read(cx, path).unwrap();
    assert_eq!(record.r#type, XEN_HYPFS_TYPE_DIR);
    let mut names = Vec::new();
    let mut at = 0;
    loop {
        let entry = &content[at..];
        let name = entry[14..].split(|&byte| byte == 0).next().unwrap();
        names.push((str::from_utf8(name).unwrap().to_string(), entry[0]));
        match u16::from_le_bytes([entry[12], entry[13]]) {
            0 => return names,
            next => at += usize::from(next),
        }
    }
}

fn write(cx: &mut Cx, path: &[u8], content: &[u8]) -> HyperResult {
    cx.copy_out_bytes(GuestPtr::new(BUFFER), content).unwrap();
    op(cx, XEN_HYPFS_OP_write_contents, path, content.len() as u64)
}

#[test]
fn every_file_is_found_and_read() {
    let world = World::new(1);
    let dom = world.domain(0, true, 1);
    world.on(&dom, 0, 0, |cx| {
        assert_eq!(call(cx, [0; 5]), Ok(1));
        let mut todo = Vec::from([String::new()]);
        let mut files = Vec::new();
        while let Some(dir) = todo.pop() {
            let path = if dir.is_empty() { "/" } else { &dir };
            for (name, kind) in names(cx, path) {
                let path = alloc::format!("{dir}/{name}");
                match kind {
                    XEN_HYPFS_TYPE_DIR => todo.push(path),
                    _ => {
                        read(cx, &path).unwrap();
                        files.push(path);
                    }
                }
            }
        }
        for file in [
            "/buildinfo/version/minor",
            "/cpupool/0/sched-gran",
            "/params/loglvl",
        ] {
            assert!(files.iter().any(|path| path == file), "{files:?}");
        }
        assert_eq!(text(cx, "/cpupool/0/sched-gran"), "cpu");
        assert_eq!(text(cx, "/cpupool//0/sched-gran/"), "cpu");
        let (record, content) = read(cx, "/buildinfo/version/minor").unwrap();
        assert_eq!(record.r#type, XEN_HYPFS_TYPE_UINT);
        assert_eq!(content, 20u32.to_le_bytes());
    });
}

#[test]
fn settings_are_obeyed() {
    let world = World::new(1);
    let dom = world.domain(0, true, 1);
    world.on(&dom, 0, 0, |cx| {
        assert_eq!(write(cx, b"/params/loglvl\0", b"error/all\0"), Ok(0));
        assert_eq!(text(cx, "/params/loglvl"), "error/all");
        assert_eq!(write(cx, b"/params/guest_loglvl\0", b"none\0"), Ok(0));
        assert_eq!(text(cx, "/params/guest_loglvl"), "none/none");
        assert_eq!(write(cx, b"/params/console_timestamps\0", b"boot\0"), Ok(0));
        assert_eq!(text(cx, "/params/console_timestamps"), "boot");
        for wrong in [&b"loud\0"[..], b"all", b"all\0\0", b"\xff\0", b"", b"\0"] {
            let result = write(cx, b"/params/loglvl\0", wrong);
            assert_eq!(result, fails(Errno::EINVAL), "{wrong:?}");
        }
        let long = [b'a'; 65];
        let result = write(cx, b"/params/loglvl\0", &long);
        assert_eq!(result, fails(Errno::ENOSPC));
        assert_eq!(text(cx, "/params/loglvl"), "error/all");
    });
}

#[test]
fn what_is_wrong_is_refused() {
    let world = World::new(1);
    let dom = world.domain(0, true, 1);
    let guest = world.domain(1, false, 1);
    world.on(&guest, 0, 0, |cx| {
        assert_eq!(call(cx, [0; 5]), fails(Errno::EPERM));
    });
    world.on(&dom, 0, 0, |cx| {
        assert_eq!(call(cx, [0, 1, 0, 0, 0]), fails(Errno::EINVAL));
        assert_eq!(call(cx, [3, 0, 0, 0, 0]), fails(Errno::EINVAL));
        assert_eq!(op(cx, 3, b"/\0", 0), fails(Errno::EOPNOTSUPP));
        let read = XEN_HYPFS_OP_read;
        for (path, errno) in [
            (&b"/nothing\0"[..], Errno::ENOENT),
            (b"/params/loglvl/x\0", Errno::ENOENT),
            (b"/cpupool/00\0", Errno::ENOENT),
            (b"/cpupool/4294967296\0", Errno::ENOENT),
            (b"/cpupool/7\0", Errno::ENOENT),
            (b"params\0", Errno::EINVAL),
            (b"/params", Errno::EINVAL),
            (b"/par\0ams\0", Errno::EINVAL),
            (b"", Errno::EINVAL),
            (b"\0", Errno::EINVAL),
            (&[b'/'; 1025], Errno::EINVAL),
        ] {
            assert_eq!(op(cx, read, path, 4096), fails(errno), "{path:?}");
        }
        let root = b"/\0";
        let args = |len, buffer, room| [read.into(), DATA_VA, len, buffer, room];
        assert_eq!(op(cx, read, root, 11), fails(Errno::EINVAL));
        assert_eq!(op(cx, read, root, 12), fails(Errno::ENOBUFS));
        assert_eq!(op(cx, read, root, u64::MAX), Ok(0));
        assert_eq!(call(cx, args(u64::MAX, BUFFER, 99)), fails(Errno::EINVAL));
        assert_eq!(call(cx, args(2, 8, 99)), fails(Errno::EFAULT));
        let nowhere = [read.into(), 8, 2, BUFFER, 99];
        assert_eq!(call(cx, nowhere), fails(Errno::EFAULT));
        for path in [&b"/\0"[..], b"/params\0", b"/buildinfo/version/major\0"] {
            assert_eq!(write(cx, path, b"1\0"), fails(Errno::EACCES));
        }
    });
}
