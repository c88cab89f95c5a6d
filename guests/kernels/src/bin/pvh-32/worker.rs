//! A vCPU that begins in 32-bit code and sees no other.

use crate::calls;
use core::sync::atomic::Ordering::SeqCst;
use guest_rt::harness::Outcome;
use guest_rt::hypercall::HyperResult;
use guest_rt::mem::{self, Page};
use guest_rt::pvh::apic::{ICR, ICR_HIGH, SVR, write};
use guest_rt::pvh::narrow::{self, low, worker_call, worker_paging};
use guest_rt::time::{MS, wait};
use guest_rt::{all_refused, check, hypercall, ok, refused, same};
use xen_abi::compat::{SharedOffsets, Width};
use xen_abi::hvm::*;
use xen_abi::hypercall as nr;
use xen_abi::memory::*;
use xen_abi::vcpu::*;
use xen_abi::version::*;
use xen_abi::xen::DOMID_SELF;

const PG: u32 = 1 << 31;
const CR0: u32 = 0x11;
const PSE: u32 = 1 << 4;
const PAE: u32 = 1 << 5;

fn text_at(at: u32) -> HyperResult {
    worker_call(nr::XEN_VERSION, [XENVER_extraversion, at, 0, 0, 0])
}

fn version() -> HyperResult {
    worker_call(nr::XEN_VERSION, [XENVER_version, 0, 0, 0, 0])
}

/// What holds in each mode: `at` is where `page` is.
fn common(page: Page, at: u32) -> Outcome {
    same!(ok!(version()), 4 << 16 | 20);
    page.set(0, 0);
    ok!(text_at(at));
    check!(page.get(0) != 0, "nothing was written");
    all_refused! {
        text_at(0xffff_fffc) => EFAULT;
        worker_call(63, [0; 5]) => ENOSYS;
    }
    narrow::put(page, 0, &MemoryDomain { domid: DOMID_SELF });
    let args = [XENMEM_current_reservation, at, 0, 0, 0];
    check!(ok!(worker_call(nr::MEMORY_OP, args)) > 1000, "no memory");
    Ok(())
}

pub fn flat() -> Outcome {
    let page = mem::alloc();
    ok!(narrow::start(mem::alloc()));
    refused!(narrow::start(mem::alloc()), EEXIST);
    common(page, low(page))
}

/// The first gigabyte at its own addresses and, at 3 GiB, one page alone.
///
/// On Xen 4.20 a call from this mode is made again and again on a processor that does not tell how
/// long its instruction is, as QEMU's: there it is left out.
pub fn pae() -> Outcome {
    if !calls::is_xenios() {
        return Ok(());
    }
    let page = mem::alloc();
    let [top, low_table, high_table, last] = [(); 4].map(|()| mem::alloc());
    let frame = |page| u64::from(low(page));
    for n in 0..512 {
        low_table.set(n, (n as u64) << 21 | 0x83);
    }
    last.set(7, frame(page) | 3);
    // Not writable, and not there.
    last.set(8, frame(page) | 1);
    high_table.set(0, frame(last) | 3);
    // The four entries begin in the middle of their page.
    top.set(8, frame(low_table) | 1);
    top.set(11, frame(high_table) | 1);
    check!(
        worker_paging(low(top) + 64, PAE, CR0 | PG | 1 << 16),
        "no paging"
    );
    common(page, low(page))?;
    common(page, 0xc000_7000)?;
    for bad in [0xc000_6000, 0xc000_8000, 0xc000_7ffc, 0x4000_0000] {
        refused!(text_at(bad), EFAULT);
    }
    Ok(())
}

/// 4 MiB pages at their own addresses and, at 3 GiB, one page alone.
pub fn two_levels() -> Outcome {
    let page = mem::alloc();
    let [top, last] = [mem::alloc(), mem::alloc()];
    for n in 0..256 {
        top.dword(n).store((n as u32) << 22 | 0x83, SeqCst);
    }
    last.dword(1023).store(low(page) | 3, SeqCst);
    last.dword(1022).store(low(page) | 1, SeqCst);
    top.dword(768).store(low(last) | 3, SeqCst);
    check!(
        worker_paging(low(top), PSE, CR0 | PG | 1 << 16),
        "no paging"
    );
    common(page, low(page))?;
    common(page, 0xc03f_f000)?;
    for bad in [0xc03f_e000, 0xc03f_fffc, 0xc040_0000, 0x4000_0000] {
        refused!(text_at(bad), EFAULT);
    }
    // Without WP the kernel writes to what is not writable.
    check!(worker_paging(low(top), PSE, CR0 | PG), "no paging");
    ok!(text_at(0xc03f_e000));
    check!(worker_paging(0, 0, CR0), "still paging");
    common(page, low(page))
}

/// The width is that of the vCPU that sets the callback.
pub fn latches() -> Outcome {
    let page = mem::alloc();
    let at = SharedOffsets::of(Width::W32);
    let seconds = || mem::shared_info().dword(at.wc_sec / 4).load(SeqCst);
    mem::shared_info().dword(at.wc_sec / 4).store(0, SeqCst);
    let mut wish = HvmParam {
        domid: DOMID_SELF,
        index: HVM_PARAM_CALLBACK_IRQ,
        value: HVM_PARAM_CALLBACK_TYPE_VECTOR << 56 | 0xf3,
        ..Default::default()
    };
    narrow::put(page, 0, &wish);
    ok!(worker_call(
        nr::HVM_OP,
        [HVMOP_set_param, low(page), 0, 0, 0]
    ));
    check!(seconds() > 1_500_000_000, "{}", seconds());
    ok!(hypercall::op(nr::HVM_OP, HVMOP_set_param, &mut wish));
    Ok(())
}

/// Users make no calls.
pub fn ring_3() -> Outcome {
    check!(narrow::worker_to_ring_3(), "it did not get there");
    all_refused! {
        version() => EPERM;
        text_at(0) => EPERM;
        worker_call(63, [0; 5]) => EPERM;
    }
    ok!(hypercall::vcpu_plain(VCPUOP_down, 1));
    Ok(())
}

/// Code in real mode does.
pub fn real_mode() -> Outcome {
    const PAGE: u64 = 0x8000;
    // cli; mov ax, cs; mov ds, ax; mov eax, 17; xor ebx, ebx; vmmcall; mov [0xff0], eax;
    // inc dword [0xff4]; hlt
    let code: [u8; 32] = [
        0xfa, 0x8c, 0xc8, 0x8e, 0xd8, 0x66, 0xb8, 17, 0, 0, 0, 0x66, 0x31, 0xdb, 0x0f, 0x01, 0xd9,
        0x66, 0xa3, 0xf0, 0x0f, 0x66, 0xff, 0x06, 0xf4, 0x0f, 0xf4, 0xeb, 0xfd, 0, 0, 0,
    ];
    for (n, word) in (0..).zip(code.as_chunks::<8>().0) {
        mem::write_uncaught(PAGE + n * 8, u64::from_le_bytes(*word));
    }
    mem::write_uncaught(PAGE + 0xff0, 0);
    let down = wait(2000 * MS, || {
        hypercall::vcpu_plain(VCPUOP_is_up, 1) == Ok(0)
    });
    check!(down, "it is still up");
    write(SVR, 0x1ff);
    write(ICR_HIGH, 2 << 24);
    write(ICR, 0x4500);
    let result = || mem::read_uncaught(PAGE + 0xff0);
    // A start that comes while the vCPU is still on its way off its CPU is lost, so there are more.
    let ran = wait(2000 * MS, || {
        write(ICR, 0x4608);
        result() >> 32 == 1
    });
    check!(ran, "it did not run");
    same!(result() as i32, 4 << 16 | 20);
    Ok(())
}
