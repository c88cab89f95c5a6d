//! The `xen_version` hypercall: who we are and what this guest may use. `version.h`.
//!
//! No state. Strings are constants or the command line; nothing of a guest's is kept.
#![allow(non_upper_case_globals, reason = "calls are named as in Xen's headers")]

use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use xen_abi::Errno;
use xen_abi::arch_x86::HYPERVISOR_VIRT_START;
use xen_abi::version::*;

/// The interface served: Xen's of this major and minor number.
pub const VERSION: (u32, u32) = (4, 20);
/// What follows the version: our name.
pub const EXTRA_VERSION: &str = ".0-xenios";
/// Kinds of guests that can be built.
const CAPABILITIES: &str = "xen-3.0-x86_64 ";
/// With hardware virtualisation: the kinds differ in the mode that a kernel ends in, which is the
/// guest's own business.
const HVM_CAPABILITIES: &str = "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 ";
/// Whoever builds may name the sources' state, the compiler and the date.
pub const CHANGESET: &str = match option_env!("XENIOS_CHANGESET") {
    Some(text) => text,
    None => concat!("xenios ", env!("CARGO_PKG_VERSION")),
};
/// Who built it, as far as it is said.
pub const COMPILED_BY: &str = "xenios";
/// The compiler.
pub const COMPILER: &str = match option_env!("XENIOS_COMPILER") {
    Some(text) => text,
    None => "rustc",
};
/// When it was built; empty where builds are to be the same each time.
pub const BUILD_DATE: &str = match option_env!("XENIOS_BUILD_DATE") {
    Some(text) => text,
    None => "",
};
/// Stands for what a guest may not know.
const DENIED: &str = "<denied>";

/// What every PV guest finds.
const PV_FEATURES: u32 = 1 << XENFEAT_mmu_pt_update_preserve_ad
    | 1 << XENFEAT_highmem_assist
    | 1 << XENFEAT_gnttab_map_avail_bits
    | 1 << XENFEAT_direct_mapped
    | 1 << XENFEAT_runstate_phys_area
    | 1 << XENFEAT_vcpu_time_phys_area;

/// What hardware-virtualised guests can use.
const HVM_FEATURES: u32 = 1 << XENFEAT_writable_page_tables
    | 1 << XENFEAT_auto_translated_physmap
    | 1 << XENFEAT_hvm_callback_vector
    | 1 << XENFEAT_hvm_safe_pvclock
    | 1 << XENFEAT_not_direct_mapped
    | 1 << XENFEAT_runstate_phys_area
    | 1 << XENFEAT_vcpu_time_phys_area;

/// The `xen_version` hypercall. Errors: `EFAULT`; `EINVAL`; `ENOSYS`; of the forms with a
/// length also `ENOBUFS` and, as there is no build id, `ENODATA`.
#[inline]
pub fn call(cx: &mut Cx, [cmd, arg]: [u64; 2]) -> HyperResult {
    if cmd as u32 == XENVER_version {
        return Ok(i64::from(VERSION.0 << 16 | VERSION.1));
    }
    other(cx, cmd as u32, arg)
}

fn other(cx: &mut Cx, cmd: u32, arg: u64) -> HyperResult {
    match cmd {
        XENVER_extraversion => fixed::<XEN_EXTRAVERSION_LEN>(cx, arg, EXTRA_VERSION),
        XENVER_compile_info => {
            let info = CompileInfo {
                compiler: padded(COMPILER),
                compile_by: padded(COMPILED_BY),
                compile_domain: padded(""),
                compile_date: padded(BUILD_DATE),
            };
            cx.copy_out(GuestPtr::new(arg), &info)?;
            Ok(0)
        }
        XENVER_capabilities => fixed::<XEN_CAPABILITIES_INFO_LEN>(cx, arg, capabilities(cx)),
        XENVER_changeset => fixed::<XEN_CHANGESET_INFO_LEN>(cx, arg, CHANGESET),
        XENVER_platform_parameters => {
            let info = PlatformParameters {
                virt_start: HYPERVISOR_VIRT_START,
            };
            cx.copy_out(GuestPtr::new(arg), &info)?;
            Ok(0)
        }
        XENVER_get_features => features(cx, GuestPtr::new(arg)),
        XENVER_pagesize if arg != 0 => Err(Errno::EINVAL.into()),
        XENVER_pagesize => Ok(machine::PAGE_SIZE as i64),
        XENVER_guest_handle => {
            let handle = *cx.dom.handle.lock();
            cx.copy_out(GuestPtr::new(arg), &handle)?;
            Ok(0)
        }
        XENVER_commandline => fixed::<XEN_COMMANDLINE_LEN>(cx, arg, command_line(cx)),
        XENVER_build_id => {
            cx.dom.require_privilege()?;
            Err(Errno::ENODATA.into())
        }
        XENVER_extraversion2 => sized(cx, arg, EXTRA_VERSION),
        XENVER_capabilities2 => sized(cx, arg, capabilities(cx)),
        XENVER_changeset2 => sized(cx, arg, CHANGESET),
        XENVER_commandline2 => sized(cx, arg, command_line(cx)),
        _ => Err(Errno::ENOSYS.into()),
    }
}

fn capabilities(cx: &Cx) -> &'static str {
    match cx.hv.policies.hvm {
        Some(_) => HVM_CAPABILITIES,
        None => CAPABILITIES,
    }
}

fn command_line<'a>(cx: &Cx<'a>) -> &'a str {
    if cx.dom.privileged {
        &cx.hv.command_line
    } else {
        DENIED
    }
}

fn features(cx: &mut Cx, ptr: GuestPtr<FeatureInfo>) -> HyperResult {
    let mut info = cx.copy_in(ptr)?;
    if info.submap_idx >= XENFEAT_NR_SUBMAPS {
        return Err(Errno::EINVAL.into());
    }
    info.submap = match cx.dom.hvm.get() {
        Some(_) => HVM_FEATURES,
        None => PV_FEATURES,
    };
    if cx.dom.privileged {
        info.submap |= 1 << XENFEAT_dom0;
    }
    cx.copy_out(ptr, &info)?;
    Ok(0)
}

/// `text` and zeros; cut so that one zero at least follows.
fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let room = N.saturating_sub(1);
    for (to, from) in bytes.iter_mut().take(room).zip(text.bytes()) {
        *to = from;
    }
    bytes
}

/// Answers one of the older forms: an array of `N` bytes.
fn fixed<const N: usize>(cx: &mut Cx, arg: u64, text: &str) -> HyperResult {
    cx.copy_out_bytes(GuestPtr::new(arg), &padded::<N>(text))?;
    Ok(0)
}

/// Answers one of the newer forms: the room there is, and after it the text without a zero.
/// Returns the text's length, all that is done for a null argument.
fn sized(cx: &mut Cx, arg: u64, text: &str) -> HyperResult {
    let length = i64::try_from(text.len()).map_err(|_| Fail::Errno(Errno::E2BIG))?;
    let ptr = GuestPtr::<Varbuf>::new(arg);
    if ptr.is_null() {
        return Ok(length);
    }
    let room = cx.copy_in(ptr)?.len;
    if i64::from(room) < length {
        return Err(Errno::ENOBUFS.into());
    }
    cx.copy_out_bytes(ptr.add(1).cast(), text.as_bytes())?;
    Ok(length)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::testing::{TestDomain, World, call as with_arg};
    use std::string::String;

    fn ask(world: &World, dom: &TestDomain, cmd: u32, arg: u64) -> HyperResult {
        world.on(dom, 0, 0, |cx| call(cx, [cmd.into(), arg]))
    }

    fn text(dom: &TestDomain, offset: usize) -> String {
        let mut bytes = [0; 64];
        assert!(dom.data[0].read(offset, &mut bytes));
        let end = bytes.iter().position(|&byte| byte == 0).unwrap();
        String::from_utf8(bytes[..end].to_vec()).unwrap()
    }

    #[test]
    fn numbers() {
        let world = World::new(1);
        let dom = world.domain(1, false, 1);
        assert_eq!(ask(&world, &dom, XENVER_version, 0), Ok(0x4_0014));
        assert_eq!(ask(&world, &dom, XENVER_pagesize, 0), Ok(4096));
        assert_eq!(
            ask(&world, &dom, XENVER_pagesize, 8),
            Err(Errno::EINVAL.into())
        );
        assert_eq!(ask(&world, &dom, 99, 0), Err(Errno::ENOSYS.into()));
        assert_eq!(
            ask(&world, &dom, XENVER_extraversion, 0x66_6666_0000),
            Err(Errno::EFAULT.into())
        );
    }

    #[test]
    fn strings_in_both_forms() {
        let world = World::new(1);
        let dom = world.domain(1, false, 1);
        let va = dom.va(0, 0);
        for (old, new, want) in [
            (
                XENVER_extraversion,
                XENVER_extraversion2,
                Some(EXTRA_VERSION),
            ),
            (
                XENVER_capabilities,
                XENVER_capabilities2,
                Some(HVM_CAPABILITIES),
            ),
            (XENVER_changeset, XENVER_changeset2, Some(CHANGESET)),
            (XENVER_commandline, XENVER_commandline2, Some(DENIED)),
        ] {
            assert_eq!(ask(&world, &dom, old, va), Ok(0));
            assert_eq!(Some(text(&dom, 0).as_str()), want);
            let length = ask(&world, &dom, new, 0).unwrap();
            assert_eq!(length as usize, want.unwrap().len());
            dom.data[0].clear();
            assert_eq!(ask(&world, &dom, new, va), Err(Errno::ENOBUFS.into()));
            dom.data[0].write(0, &(length as u32 - 1).to_le_bytes());
            assert_eq!(ask(&world, &dom, new, va), Err(Errno::ENOBUFS.into()));
            dom.data[0].write(0, &(length as u32).to_le_bytes());
            assert_eq!(ask(&world, &dom, new, va), Ok(length));
            assert_eq!(Some(text(&dom, 4).as_str()), want);
        }
    }

    #[test]
    fn features_by_domain() {
        let world = World::new(1);
        for (id, privileged) in [(0, true), (1, false)] {
            let dom = world.domain(id, privileged, 1);
            world.on(&dom, 0, 0, |cx| {
                let mut info = FeatureInfo::default();
                let ask = |cx: &mut Cx, arg| call(cx, [XENVER_get_features.into(), arg]);
                assert_eq!(with_arg(cx, &mut info, ask), Ok(0));
                assert_eq!(info.submap & !(1 << XENFEAT_dom0), PV_FEATURES);
                assert_eq!(info.submap >> XENFEAT_dom0 & 1 == 1, privileged);
                info.submap_idx = 1;
                assert_eq!(with_arg(cx, &mut info, ask), Err(Errno::EINVAL.into()));
                let mut place = PlatformParameters::default();
                let ask = |cx: &mut Cx, arg| call(cx, [XENVER_platform_parameters.into(), arg]);
                assert_eq!(with_arg(cx, &mut place, ask), Ok(0));
                assert_eq!(place.virt_start, HYPERVISOR_VIRT_START);
                let id = call(cx, [XENVER_build_id.into(), 0]);
                let errno = if privileged {
                    Errno::ENODATA
                } else {
                    Errno::EPERM
                };
                assert_eq!(id, Err(errno.into()));
            });
        }
    }
}
