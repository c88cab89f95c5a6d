//! Hypercalls from compatibility mode: registers, pointers, several calls in one.

use guest_rt::harness::Outcome;
use guest_rt::hypercall::HyperResult;
use guest_rt::mem::{self, Page, pte};
use guest_rt::pvh::narrow::{self, call, low, op};
use guest_rt::{all_refused, check, ok, pvh, refused, same};
use xen_abi::compat::{Layout, Width};
use xen_abi::hypercall as nr;
use xen_abi::version::*;
use xen_abi::xen::*;

const VERSION: i64 = 4 << 16 | 20;

pub fn version_at(cmd: u32, at: u32) -> HyperResult {
    call(nr::XEN_VERSION, [cmd, at, 0, 0, 0])
}

/// Whether the hypervisor says that it is this one, and not the real Xen.
pub fn is_xenios() -> bool {
    let page = mem::alloc();
    let text = |at: usize| page.byte(at).load(core::sync::atomic::Ordering::SeqCst);
    version_at(XENVER_extraversion, low(page)).is_ok()
        && (0..9).any(|at| {
            b"-xenios"
                .iter()
                .enumerate()
                .all(|(n, &byte)| text(at + n) == byte)
        })
}

pub fn version() -> Outcome {
    same!(ok!(version_at(XENVER_version, 0)), VERSION);
    same!(ok!(version_at(XENVER_pagesize, 0)), 4096);
    Ok(())
}

/// The stubs of the calls' page are for both, and a call changes EAX alone.
pub fn registers() -> Outcome {
    for by_page in [false, true] {
        let before = [nr::XEN_VERSION, XENVER_version, 0x8000_0001, 3, 4, 5];
        let after = narrow::registers(before, by_page);
        same!(after[0], VERSION as u32);
        same!(after[1..], before[1..]);
        let before = [nr::XEN_VERSION, XENVER_extraversion, 0xffff_f000, 3, 4, 5];
        let after = narrow::registers(before, by_page);
        same!(after[0] as i32, -(xen_abi::Errno::EFAULT as i32));
        same!(after[1..], before[1..]);
    }
    Ok(())
}

pub fn features() -> Outcome {
    let page = mem::alloc();
    let mut info = FeatureInfo::default();
    ok!(op(page, nr::XEN_VERSION, XENVER_get_features, &mut info));
    let need = 1 << XENFEAT_auto_translated_physmap | 1 << XENFEAT_writable_page_tables;
    same!(info.submap & need, need);
    info.submap_idx = 1;
    refused!(
        op(page, nr::XEN_VERSION, XENVER_get_features, &mut info),
        EINVAL
    );
    // Four bytes, which the structure has in this form; there is nothing of the hypervisor's.
    page.set(0, u64::MAX);
    ok!(version_at(XENVER_platform_parameters, low(page)));
    same!(page.get(0), 0xffff_ffff_0000_0000);
    Ok(())
}

pub fn strings() -> Outcome {
    let page = mem::alloc();
    page.set(2, u64::MAX);
    ok!(version_at(XENVER_extraversion, low(page)));
    check!(
        page.byte(0).load(core::sync::atomic::Ordering::SeqCst) == b'.',
        "no text"
    );
    same!(page.get(2), u64::MAX);
    for cmd in [XENVER_capabilities, XENVER_changeset, XENVER_compile_info] {
        ok!(version_at(cmd, low(page)));
    }
    let length = ok!(version_at(XENVER_extraversion2, 0));
    page.dword(0)
        .store(length as u32, core::sync::atomic::Ordering::SeqCst);
    same!(ok!(version_at(XENVER_extraversion2, low(page))), length);
    page.dword(0)
        .store(length as u32 - 1, core::sync::atomic::Ordering::SeqCst);
    refused!(version_at(XENVER_extraversion2, low(page)), ENOBUFS);
    Ok(())
}

pub fn unknown() -> Outcome {
    all_refused! {
        call(63, [0; 5]) => ENOSYS;
        call(1 << 20, [0; 5]) => ENOSYS;
        call(u32::MAX >> 1, [0; 5]) => ENOSYS;
        call(nr::SET_TRAP_TABLE, [0; 5]) => ENOSYS;
        call(nr::MMU_UPDATE, [0; 5]) => ENOSYS;
        call(nr::IRET, [0; 5]) => ENOSYS;
        version_at(99, 0) => ENOSYS;
    }
    Ok(())
}

pub fn bad_pointers() -> Outcome {
    // Within the machine's hole, at the end of memory, beyond RAM.
    for at in [
        0xffff_fffc,
        0xffff_ffff,
        0xffff_f000,
        0xe000_0000,
        0x7fff_fffc,
    ] {
        refused!(version_at(XENVER_extraversion, at), EFAULT);
        refused!(version_at(XENVER_get_features, at), EFAULT);
        refused!(call(nr::MULTICALL, [at, 1, 0, 0, 0]), EFAULT);
        refused!(call(nr::EVENT_CHANNEL_OP, [4, at, 0, 0, 0]), EFAULT);
        refused!(call(nr::MEMORY_OP, [7, at, 0, 0, 0]), EFAULT);
        refused!(call(nr::HVM_OP, [1, at, 0, 0, 0]), EFAULT);
        refused!(call(nr::SCHED_OP, [3, at, 0, 0, 0]), EFAULT);
    }
    Ok(())
}

/// The last page below 4 GiB.
pub fn top_page() -> Outcome {
    let run = mem::alloc();
    let top = pvh::map_top(run, pte::P | pte::RW);
    same!(top, 0xffff_f000);
    ok!(version_at(XENVER_extraversion, 0xffff_fff0));
    check!(run.get(510) != 0, "nothing was written");
    run.set(511, 0);
    ok!(version_at(XENVER_get_features, 0xffff_fff8));
    refused!(version_at(XENVER_get_features, 0xffff_fffd), EFAULT);
    pvh::map_top(run, 0);
    refused!(version_at(XENVER_extraversion, 0xffff_fff0), EFAULT);
    Ok(())
}

fn entry(op: u32, args: [u32; 2]) -> MulticallEntry {
    MulticallEntry {
        op: op.into(),
        result: 0,
        args: [args[0].into(), args[1].into(), 0, 0, 0, 0],
    }
}

fn results(page: Page) -> [i32; 5] {
    let done: [MulticallEntry; 5] = narrow::take(page, 0);
    done.map(|entry| entry.result as i32)
}

pub fn multicall() -> Outcome {
    let [page, text] = [mem::alloc(), mem::alloc()];
    let mut list = [entry(nr::XEN_VERSION, [XENVER_version, 0]); 5];
    list[1] = entry(nr::XEN_VERSION, [XENVER_extraversion, low(text)]);
    list[2] = entry(nr::XEN_VERSION, [XENVER_extraversion, 0xffff_fff0]);
    list[3] = entry(63, [0, 0]);
    narrow::put(page, 0, &list);
    page.dword(40)
        .store(0x77, core::sync::atomic::Ordering::SeqCst);
    ok!(call(nr::MULTICALL, [low(page), 5, 0, 0, 0]));
    same!(results(page), [VERSION as i32, 0, -14, -38, VERSION as i32]);
    check!(text.get(0) != 0, "nothing was written");
    same!(page.get(20), 0x77);
    same!(MulticallEntry::size(Width::W32), 32);
    Ok(())
}

pub fn multicall_refused() -> Outcome {
    let page = mem::alloc();
    let mut list = [entry(nr::XEN_VERSION, [XENVER_version, 0]); 5];
    list[1] = entry(nr::MULTICALL, [0, 0]);
    list[3] = entry(nr::SET_TRAP_TABLE, [0, 0]);
    narrow::put(page, 0, &list);
    ok!(call(nr::MULTICALL, [low(page), 5, 0, 0, 0]));
    same!(results(page)[3], -38);
    same!(results(page)[4], VERSION as i32);
    // The list ends where nothing is.
    let run = mem::alloc();
    let top = pvh::map_top(run, pte::P | pte::RW);
    let last = 4096 - 32;
    narrow::put(run, last, &list[0]);
    refused!(call(nr::MULTICALL, [top + last as u32, 2, 0, 0, 0]), EFAULT);
    let done: MulticallEntry = narrow::take(run, last);
    same!(done.result, VERSION as u64);
    pvh::map_top(run, 0);
    Ok(())
}

pub fn console() -> Outcome {
    let page = mem::alloc();
    page.fill(b"from 32-bit code\n");
    ok!(call(nr::CONSOLE_IO, [CONSOLEIO_write, 17, low(page), 0, 0]));
    refused!(
        call(nr::CONSOLE_IO, [CONSOLEIO_write, 17, 0xffff_fff0, 0, 0]),
        EFAULT
    );
    Ok(())
}

pub fn vm_assist() -> Outcome {
    let flag = VMASST_TYPE_runstate_update_flag;
    ok!(call(nr::VM_ASSIST, [VMASST_CMD_enable, flag, 0, 0, 0]));
    ok!(call(nr::VM_ASSIST, [VMASST_CMD_disable, flag, 0, 0, 0]));
    refused!(
        call(nr::VM_ASSIST, [VMASST_CMD_enable, 99, 0, 0, 0]),
        EINVAL
    );
    Ok(())
}

/// Calls of the tools' have one form, and look at their arguments.
pub fn tools() -> Outcome {
    let page = mem::alloc();
    all_refused! {
        call(nr::SYSCTL, [0xffff_fff0, 0, 0, 0, 0]) => EFAULT;
        call(nr::DOMCTL, [0xffff_fff0, 0, 0, 0, 0]) => EFAULT;
        call(nr::SYSCTL, [low(page), 0, 0, 0, 0]) => EACCES;
        call(nr::DOMCTL, [low(page), 0, 0, 0, 0]) => EACCES;
    }
    Ok(())
}
