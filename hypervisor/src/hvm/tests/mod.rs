//! Hardware-virtualised guests on the simulated machine.

mod calls;
mod clock;
mod devices;
mod events;
mod memory;
mod narrow;
mod narrow_shared;
mod rights;

use super::vlapic::reg;
use super::walk::Access;
use super::{control, deliver, exits};
use crate::cx::Cx;
use crate::domain::Domain;
use crate::fail::Fail;
use crate::guest::GuestPtr;
use crate::mem::p2m;
use crate::testing::World;
use alloc::sync::Arc;
use core::sync::atomic::Ordering;
use machine::hvm::{Event, EventKind, HvmApi, HvmCpu, HvmExit, Reg, Seg, Segment};
use machine::nested::Leaf;
use machine::regs::rflags;
use machine::{CpuApi, Gfn, Mfn};
use x86_emulate::Trap;
use xen_abi::Errno;

/// Frames of RAM from guest frame 0 on.
const RAM: u64 = 64;
/// A long-mode guest's tables.
const TABLES: u64 = 0x10_000;
/// Where its code is.
const CODE: u64 = 0x1000;

/// Calls `f` in the context of the domain's vCPU 0, loaded.
fn on<R>(world: &World, dom: &Arc<Domain>, f: impl FnOnce(&mut Cx) -> R) -> R {
    let mut cpu = world.machine.cpu(0);
    let vcpu = dom.vcpu(0).unwrap();
    let mut state = vcpu.state.try_lock().unwrap();
    dom.dirty_cpus.set(0);
    cpu.load_hvm(&mut state.hvm.as_mut().unwrap().state);
    let mut cx = Cx {
        cpu: &mut cpu,
        hv: world.hv,
        dom,
        vcpu,
        st: &mut state,
        live: true,
        width: Default::default(),
    };
    let result = f(&mut cx);
    cpu.save_hvm(&mut state.hvm.as_mut().unwrap().state);
    dom.dirty_cpus.clear(0);
    result
}

fn store(world: &World, dom: &Domain, gpa: u64, bytes: &[u8]) {
    let page = dom.page(world.hv.mem, Gfn(gpa >> 12)).unwrap();
    assert!(page.write(gpa as usize & 4095, bytes));
}

fn load(world: &World, dom: &Domain, gpa: u64, bytes: &mut [u8]) {
    let page = dom.page(world.hv.mem, Gfn(gpa >> 12)).unwrap();
    assert!(page.read(gpa as usize & 4095, bytes));
}

/// A domain with RAM, in 64-bit code at [`CODE`] on identity tables.
fn guest(world: &World) -> Arc<Domain> {
    let dom = world.hvm_domain(0, true, 2);
    let mut cpu = world.machine.cpu(0);
    p2m::fill(world.hv, &mut cpu, &dom, 0, RAM).unwrap();
    drop(cpu);
    for (at, entry) in [
        (TABLES, TABLES + 0x1003),
        (TABLES + 0x1000, TABLES + 0x2003),
        // 2 MiB of RAM, and the APIC's page by a table of its own.
        (TABLES + 0x2000, 0x83),
        (TABLES + 0x1018, TABLES + 0x3003),
        (TABLES + 0x3000 + 0x1f7 * 8, 0xfee0_0083),
    ] {
        store(world, &dom, at, &u64::to_le_bytes(entry));
    }
    on(world, &dom, |cx| {
        let hvm = cx.st.hvm.as_mut().unwrap();
        hvm.start_flat(CODE as u32, 0);
        hvm.state.set(Reg::Cr4, control::CR4_PAE);
        hvm.state.set(Reg::Cr3, TABLES);
        assert!(hvm.set_efer(1 << 8 | 1 << 11) && hvm.set_cr0(0x8001_0011));
        hvm.state.set_segment(
            Seg::Cs,
            Segment {
                attributes: 0xa9b,
                ..Segment::default()
            },
        );
        cx.regs_mut().rip = CODE;
        cx.regs_mut().rflags = rflags::FIXED;
    });
    dom
}

fn run(cx: &mut Cx, code: &[u8], exit: HvmExit) {
    crate::hvm::write(cx, CODE, code).unwrap();
    cx.regs_mut().rip = CODE;
    exits::serve(cx, exit);
}

fn event(cx: &mut Cx) -> Option<Event> {
    let event = cx.st.hvm.as_ref().unwrap().state.event();
    cx.st.hvm.as_mut().unwrap().state.set_event(None);
    event
}

const fn fault(gpa: u64, write: bool) -> HvmExit {
    HvmExit::Nested {
        gpa,
        write,
        exec: false,
        walk: false,
    }
}

#[test]
fn hypercalls_are_the_kernels_in_64_bit_code() {
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        let mut call = |nr: u64| {
            cx.regs_mut().rax = nr;
            run(cx, &[0x0f, 0x01, 0xd9], HvmExit::Hypercall);
            assert_eq!(cx.regs().rip, CODE + 3);
            cx.regs().rax as i64
        };
        assert_eq!(call(17), 4 << 16 | 20);
        assert_eq!(call(1), Errno::ENOSYS.neg());
        assert_eq!(call(1 << 40), Errno::ENOSYS.neg());
        let hvm = cx.st.hvm.as_mut().unwrap();
        let mut ss = hvm.state.segment(Seg::Ss);
        ss.attributes |= 3 << 5;
        hvm.state.set_segment(Seg::Ss, ss);
        cx.regs_mut().rax = 17;
        exits::serve(cx, HvmExit::Hypercall);
        assert_eq!(cx.regs().rax as i64, Errno::EPERM.neg());
    });
}

#[test]
fn registers_and_cpuid() {
    let world = World::new(1);
    world.machine.set_cpuid(0, 0, [0xd, 0, 0, 0]);
    world
        .machine
        .set_cpuid(1, 0, [1, 0, 1 << 5 | 1 << 26, u32::MAX]);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        let mut msr = |write: bool, msr: u64, value: u64| {
            let r = cx.regs_mut();
            (r.rcx, r.rax, r.rdx) = (msr, value & 0xffff_ffff, value >> 32);
            let code = [0x0f, if write { 0x30 } else { 0x32 }];
            run(cx, &code, HvmExit::Msr { write });
            match event(cx) {
                None => {
                    assert_eq!(cx.regs().rip, CODE + 2);
                    Ok(cx.regs().rdx << 32 | cx.regs().rax)
                }
                Some(event) => Err((event.vector, event.error)),
            }
        };
        let gp = Err((13, Some(0)));
        assert_eq!(msr(false, 0x1b, 0), Ok(0xfee0_0900));
        assert_eq!(msr(false, 0xdead, 0), gp);
        assert_eq!(msr(true, 0xc000_0080, 0xd00 | 1 << 12), gp);
        assert_eq!(msr(true, 0xc000_0080, 0xd01).map(|_| ()), Ok(()));
        assert_eq!(msr(false, 0xc000_0080, 0), Ok(0xd01));
        assert_eq!(msr(true, 0xc000_0080, 0xc01), gp, "long mode ends");
        assert_eq!(msr(true, 0x277, 2), gp);
        assert_eq!(msr(true, 0x277, 0x0406).map(|_| ()), Ok(()));
        assert_eq!(msr(false, 0x802, 0), gp, "not in x2APIC mode");
        assert_eq!(msr(true, 0x4000_0000, 0x3001), gp);
        assert_eq!(msr(true, 0x4000_0000, RAM << 12), gp);
        assert_eq!(msr(true, 0x4000_0000, 0x3000).map(|_| ()), Ok(()));
        let mut stub = [0; 9];
        crate::hvm::read(cx, 0x3000 + 17 * 32, &mut stub).unwrap();
        assert_eq!(stub, [0xb8, 17, 0, 0, 0, 0x0f, 0x01, 0xd9, 0xc3]);

        cx.regs_mut().rax = 1;
        run(cx, &[0x0f, 0xa2], HvmExit::Cpuid);
        let c = cx.regs().rcx as u32;
        assert_eq!(
            c & (1 << 5 | 1 << 21 | 1 << 26 | 1 << 31),
            1 << 21 | 1 << 26 | 1 << 31
        );
        // A prefix before it: decoded as a whole.
        cx.regs_mut().rax = 0x4000_0000;
        run(cx, &[0x3e, 0x0f, 0xa2], HvmExit::Privileged);
        assert_eq!((cx.regs().rbx, cx.regs().rip), (0x566e_6558, CODE + 3));
    });
}

#[test]
fn control_registers_keep_to_the_rules() {
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        let hvm = cx.st.hvm.as_mut().unwrap();
        let cr0 = hvm.state.get(Reg::Cr0);
        assert_eq!(hvm.state.get(Reg::Efer), 0xd00, "active with paging");
        assert!(
            !hvm.set_cr0(cr0 & !1) && !hvm.set_cr0(cr0 | 1 << 29) && !hvm.set_cr0(cr0 | 1 << 32)
        );
        assert!(!hvm.set_cr0(cr0 & !(1 << 31)), "from 64-bit code");
        assert!(!hvm.set_cr4(0, 0x7ff) && !hvm.set_cr4(1 << 13 | 0x20, 0x7ff));
        assert!(hvm.set_cr4(0xa0, 0x7ff));
        // mov cr0, rax through the emulator.
        cx.regs_mut().rax = cr0 | 8;
        run(cx, &[0x0f, 0x22, 0xc0], HvmExit::Privileged);
        let hvm = cx.st.hvm.as_ref().unwrap();
        assert_eq!(hvm.state.get(Reg::Cr0), cr0 | 8);
    });
}

#[test]
fn the_apics_page_is_emulated_and_holes_read_as_ones() {
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        let apic = 0xfee0_0000;
        cx.regs_mut().rsi = apic;
        run(cx, &[0x8b, 0x46, 0x30], fault(apic + 0x30, false)); // mov eax, [rsi + 0x30]
        assert_eq!(cx.regs().rax, 5 << 16 | 0x14);
        cx.regs_mut().rax = 0x1ff;
        let code = [0x89, 0x86, 0xf0, 0, 0, 0]; // mov [rsi + 0xf0], eax
        run(cx, &code, fault(apic + 0xf0, true));
        assert_eq!(cx.regs().rip, CODE + 6);
        let hvm = cx.st.hvm.as_mut().unwrap();
        assert!(hvm.lapic.is_on());
        // A hole in RAM.
        let hole = p2m::set(cx.hv, cx.cpu, cx.dom, Gfn(40), Leaf::None);
        assert!(hole.unwrap().is_some());
        // The simulated machine's loader knows of no RAM, so the hole is taken for a device's.
        world.machine.set_strict(false);
        cx.regs_mut().rsi = 40 << 12;
        run(cx, &[0x48, 0x8b, 0x06], fault(40 << 12, false));
        assert!(cx.regs().rip == CODE || cx.regs().rax == u64::MAX);
    });
}
