//! User mode: its own page tables, the ways into the kernel, and what it cannot reach.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use guest_rt::harness::{Failure, Outcome};
use guest_rt::mem::{self, Page, pte};
use guest_rt::traps::{self, Fault, INT80, SYSCALL, SYSCALL32, SYSENTER, stub};
use guest_rt::user::{self, Target};
use guest_rt::{check, events, hypercall, insn, ok, same};
use xen_abi::arch_x86::VGCF_in_syscall;
use xen_abi::callback::{
    CALLBACKF_mask_events, CALLBACKTYPE_syscall, CALLBACKTYPE_syscall32, CALLBACKTYPE_sysenter,
};
use xen_abi::mmu::*;

const CODE: u64 = 0x40_0000;
const STACK: u64 = 0x40_2000;
/// Flat code of 32 bits.
const CS32: u64 = 0xe023;
/// Where the machine-to-phys table is.
const M2P: u64 = 0xffff_8000_0000_0000;
const TF: u64 = 1 << 8;
const NT: u64 = 1 << 14;
const AC: u64 = 1 << 18;

/// Whether the processor has SYSCALL and not SYSENTER in 32-bit code of long mode, or the other
/// way round.
fn is_amd() -> bool {
    // "Auth" and "Hygo".
    matches!(insn::cpuid(0, 0)[1], 0x6874_7541 | 0x6f67_7948)
}

static READY: AtomicU64 = AtomicU64::new(0);

fn seal(page: Page) -> Result<u64, Failure> {
    ok!(page.protect(false));
    Ok(pte::entry(page.mfn(), pte::DATA))
}

/// Builds the user tables once: a page of code at `CODE`, a stack page below `STACK`.
fn space() -> Outcome {
    if READY.swap(1, Relaxed) == 1 {
        return Ok(());
    }
    let [l4, l3, l2, l1, code, stack] = [(); 6].map(|()| mem::alloc());
    // 0: syscall. 16: int 0x80. 32: ud2. 48: mov rax, [rax]. 64: mov [rax], rax. 80: push rax; syscall
    // 96: hlt. 112: sysenter.
    for (at, bytes) in [
        (0, &[0x0f, 0x05][..]),
        (16, &[0xcd, 0x80]),
        (32, &[0x0f, 0x0b]),
        (48, &[0x48, 0x8b, 0x00]),
        (64, &[0x48, 0x89, 0x00]),
        (80, &[0x50, 0x0f, 0x05]),
        (96, &[0xf4]),
        (112, &[0x0f, 0x34]),
    ] {
        for (i, &b) in bytes.iter().enumerate() {
            code.byte(at + i).store(b, Relaxed);
        }
    }
    l1.set(0, pte::entry(code.mfn(), pte::RO));
    l1.set(1, pte::entry(stack.mfn(), pte::DATA | pte::NX));
    l2.set(2, seal(l1)?);
    l3.set(0, seal(l2)?);
    l4.set(0, seal(l3)?);
    seal(l4)?;
    ok!(hypercall::mmuext(MMUEXT_PIN_L4_TABLE, l4.mfn(), 0));
    ok!(hypercall::mmuext(MMUEXT_NEW_USER_BASEPTR, l4.mfn(), 0));
    Ok(())
}

fn run(offset: u64, rax: u64) -> Result<Fault, Failure> {
    run_in(0xe033, 0x202, offset, rax)
}

/// In code of 32 bits.
fn run32(offset: u64, rax: u64) -> Result<Fault, Failure> {
    run_in(CS32, 0x202, offset, rax)
}

fn run_in(cs: u64, rflags: u64, offset: u64, rax: u64) -> Result<Fault, Failure> {
    space()?;
    Ok(user::enter(Target {
        rip: CODE + offset,
        cs,
        rflags,
        rsp: STACK,
        ss: 0xe02b,
        rax,
        flags: 0,
    }))
}

pub fn syscall() -> Outcome {
    let fault = run(0, 42)?;
    same!((fault.vector, fault.rax), (SYSCALL, 42));
    same!((fault.rip, fault.rsp), (CODE + 2, STACK));
    same!(fault.cs & 0xffff, 0xe033);
    same!(fault.rcx, CODE + 2);
    let fault = run(80, 7)?;
    same!((fault.vector, fault.rsp), (SYSCALL, STACK - 8));
    Ok(())
}

pub fn syscall_masked() -> Outcome {
    // A handler that wants events masked starts so; its frame says what the users had.
    let register = |flags| traps::register_callback(CALLBACKTYPE_syscall, flags, stub(SYSCALL));
    ok!(register(CALLBACKF_mask_events));
    for rax in 0..3 {
        let fault = run(0, rax)?;
        let masked = traps::upcall_mask().swap(0, Relaxed);
        same!(
            (fault.vector, fault.rax, fault.rip),
            (SYSCALL, rax, CODE + 2)
        );
        same!((fault.rsp, fault.rcx, masked), (STACK, CODE + 2, 1));
        same!((fault.cs, fault.rflags & 0x200), (0xe033, 0x200));
    }
    ok!(register(0));
    Ok(())
}

pub fn int80() -> Outcome {
    let fault = run(16, 43)?;
    same!((fault.vector, fault.rax, fault.rip), (INT80, 43, CODE + 18));
    same!(fault.cs & 3, 3);
    Ok(())
}

pub fn faults() -> Outcome {
    let fault = run(32, 0)?;
    same!((fault.vector, fault.rip), (6, CODE + 32));
    let fault = run(48, 0x1000)?;
    same!((fault.vector, fault.cr2, fault.error), (14, 0x1000, 4));
    let fault = run(64, CODE)?;
    same!((fault.vector, fault.cr2, fault.error), (14, CODE, 7));
    let fault = run(96, 0)?;
    same!((fault.vector, fault.error), (13, 0));
    let fault = run(4096, 0)?;
    same!(
        (fault.vector, fault.cr2, fault.error),
        (14, CODE + 4096, 0x15)
    );
    Ok(())
}

pub fn isolated() -> Outcome {
    // Neither the kernel, nor the hypervisor, nor its M2P is there in user mode; Xen with XPTI
    // leaves the M2P.
    for va in [
        mem::start_info().pt_base,
        M2P,
        0xffff_82d0_4000_0000,
        0xffff_8300_0000_0000,
    ] {
        let fault = run(48, va)?;
        check!(
            fault.vector == 14 && fault.cr2 == va || !is_amd() && va == M2P,
            "user read of {va:#x}: {fault:x?}"
        );
    }
    Ok(())
}

pub fn stack_switch() -> Outcome {
    let fault = run(0, 1)?;
    same!(fault.vector, SYSCALL);
    // The kernel stack must be a ring-3 stack selector; a null one is refused or fixed.
    let result = hypercall::call(
        xen_abi::hypercall::STACK_SWITCH,
        [0xe02b, 0xffff_ffff_8010_0000, 0, 0, 0],
    );
    same!(result, Ok(0));
    let fault = run(0, 2)?;
    same!((fault.vector, fault.rax), (SYSCALL, 2));
    Ok(())
}

pub fn sysret() -> Outcome {
    // Back by SYSRET: RCX and R11 become RIP and the flags.
    space()?;
    let fault = user::enter(Target {
        rip: CODE,
        cs: 0xe033,
        rflags: 0x202,
        rsp: STACK,
        ss: 0xe02b,
        rax: 44,
        flags: VGCF_in_syscall,
    });
    same!(
        (fault.vector, fault.rax, fault.rip),
        (SYSCALL, 44, CODE + 2)
    );
    Ok(())
}

pub fn event() -> Outcome {
    // An event that is pending when user mode starts comes before its first instruction.
    let port = ok!(events::bind_ipi(0));
    events::set_mask(port, false);
    ok!(hypercall::send(port));
    let before = events::upcalls();
    let fault = run(0, 45)?;
    same!((fault.vector, fault.rax), (SYSCALL, 45));
    same!(events::upcalls(), before + 1);
    events::settle(port);
    ok!(events::close(port));
    Ok(())
}

pub fn int80_32() -> Outcome {
    let fault = run32(16, 46)?;
    same!((fault.vector, fault.rax, fault.rip), (INT80, 46, CODE + 18));
    same!((fault.cs & 0xffff, fault.rsp), (CS32, STACK));
    Ok(())
}

pub fn syscall32() -> Outcome {
    ok!(traps::register_callback(
        CALLBACKTYPE_syscall32,
        0,
        traps::stub(SYSCALL32)
    ));
    let fault = run32(0, 47)?;
    if !is_amd() {
        same!((fault.vector, fault.rip), (6, CODE));
        return Ok(());
    }
    same!((fault.vector, fault.rax), (SYSCALL32, 47));
    same!((fault.rip, fault.rsp), (CODE + 2, STACK));
    same!(fault.cs & 0xffff, CS32);
    Ok(())
}

pub fn sysenter() -> Outcome {
    let fault = run32(112, 48)?;
    if is_amd() {
        // #UD by the manual, #GP in QEMU.
        check!(matches!(fault.vector, 6 | 13), "SYSENTER: {fault:x?}");
        same!(fault.rip, CODE + 112);
        return Ok(());
    }
    // Whoever is registered for it now is told no more than afterwards.
    same!((fault.rip, fault.rsp), (0, 0));
    ok!(traps::register_callback(
        CALLBACKTYPE_sysenter,
        0,
        traps::stub(SYSENTER)
    ));
    for cs in [CS32, 0xe033] {
        for flags in [0, TF, NT | AC, TF | NT | AC] {
            let fault = run_in(cs, 0x202 | flags, 112, 49)?;
            same!((fault.vector, fault.rax), (SYSENTER, 49));
            same!((fault.rip, fault.rsp), (0, 0));
            same!(fault.cs & 3, 3);
            same!(fault.rflags & (0x202 | TF | NT | AC), 0x202 | flags);
        }
    }
    Ok(())
}
