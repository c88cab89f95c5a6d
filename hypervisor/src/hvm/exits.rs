//! Serving exits.

use super::emulator::Emulated;
use super::{crash, hypercall, inject, mmio, start};
use crate::cx::Cx;
use machine::hvm::{HvmApi, HvmExit};
use machine::nested::Kind;
use machine::{CpuApi, Gfn};
use x86_emulate::{Outcome, Result};

/// Serves one exit.
#[inline(always)]
pub fn serve(cx: &mut Cx, exit: HvmExit) {
    match exit {
        HvmExit::Hypercall => hypercall::serve(cx),
        HvmExit::Interrupt(vector) => {
            if crate::run::interrupt(cx.cpu, cx.hv, vector) {
                cx.live = false;
            }
        }
        exit => others(cx, exit),
    }
}

fn others(cx: &mut Cx, exit: HvmExit) {
    match exit {
        HvmExit::Cpuid => cpuid(cx),
        HvmExit::Msr { write } => msr(cx, write),
        HvmExit::Nested { gpa, .. } if is_undeliverable(cx, gpa) => crash::triple_fault(cx),
        HvmExit::Nested {
            gpa,
            write,
            exec,
            walk,
        } => nested(cx, gpa, write, exec, walk),
        HvmExit::Port {
            port,
            bytes,
            write,
            next,
        } => {
            super::emulator::port(cx, port, bytes, write);
            retire(cx, next);
        }
        HvmExit::Halt => halt(cx),
        HvmExit::Privileged => privileged(cx),
        HvmExit::Undefined => raise(cx, 6, None),
        HvmExit::Protection => raise(cx, 13, Some(0)),
        HvmExit::Exception(vector) => exception(cx, vector),
        HvmExit::Window => {
            if let Some(hvm) = &mut cx.st.hvm {
                hvm.look = true;
            }
        }
        HvmExit::Shutdown => crash::triple_fault(cx),
        HvmExit::Invalid(code) => {
            crate::guest_log!(cx, Error, "exit {code:#x}");
            crash::crash(cx, "an exit that is not to be");
        }
        HvmExit::Nmi | HvmExit::Hypercall | HvmExit::Interrupt(_) => {}
    }
}

/// Injects an exception.
fn raise(cx: &mut Cx, vector: u8, error: Option<u32>) {
    if !inject::exception(cx, vector, error) {
        crash::triple_fault(cx);
    }
}

/// An intercepted exception: the guest has it.
fn exception(cx: &mut Cx, vector: u8) {
    match vector {
        // The host's own machine check is not the guest's.
        18 => {}
        17 => raise(cx, vector, Some(0)),
        _ => raise(cx, vector, None),
    }
}

/// The guest goes on at `next`.
fn retire(cx: &mut Cx, next: u64) {
    cx.cpu.regs_mut().rip = next;
    if let Some(hvm) = &mut cx.st.hvm {
        hvm.state.clear_shadow();
    }
}

/// The next instruction after the two bytes `code` at the instruction pointer; `None` when
/// they are something else, such as a prefix.
fn after(cx: &Cx, code: [u8; 2]) -> Option<u64> {
    let known = cx.st.hvm.as_ref().and_then(|hvm| hvm.state.next_rip());
    if known.is_some() {
        return known;
    }
    let r = cx.cpu.regs();
    let (rip, rflags) = (r.rip, r.rflags);
    let hvm = cx.st.hvm.as_ref()?;
    (hvm.is_64bit() && hvm.runs(rip, rflags, code)).then(|| rip.wrapping_add(2))
}

fn cpuid(cx: &mut Cx) {
    let Some(next) = after(cx, [0x0f, 0xa2]) else {
        return privileged(cx);
    };
    let r = cx.cpu.regs();
    let (leaf, sub) = (r.rax as u32, r.rcx as u32);
    let [a, b, c, d] = super::cpuid::leaf(cx, leaf, sub);
    let r = cx.cpu.regs_mut();
    (r.rax, r.rbx, r.rcx, r.rdx) = (a.into(), b.into(), c.into(), d.into());
    retire(cx, next);
}

fn msr(cx: &mut Cx, write: bool) {
    let Some(next) = after(cx, [0x0f, if write { 0x30 } else { 0x32 }]) else {
        return privileged(cx);
    };
    let r = cx.cpu.regs();
    let (msr, value) = (r.rcx as u32, r.rdx << 32 | r.rax & 0xffff_ffff);
    let done = if write {
        super::msr::write(cx, msr, value)
    } else {
        super::msr::read(cx, msr).is_some_and(|value| {
            let r = cx.cpu.regs_mut();
            (r.rax, r.rdx) = (value & 0xffff_ffff, value >> 32);
            true
        })
    };
    if done {
        retire(cx, next);
    } else {
        crate::guest_log!(cx, Debug, "MSR {msr:#x} refused, write {write}");
        raise(cx, 13, Some(0));
    }
}

fn privileged(cx: &mut Cx) {
    let result = x86_emulate::privileged(&mut Emulated::new(cx));
    finish(cx, result);
}

/// Delivers what an emulation led to.
fn finish(cx: &mut Cx, result: Result) {
    match result {
        Ok(Outcome::Done { single_step }) => {
            if let Some(hvm) = &mut cx.st.hvm {
                hvm.state.clear_shadow();
                if single_step {
                    let dr6 = hvm.state.get(machine::hvm::Reg::Dr6);
                    hvm.state.set(machine::hvm::Reg::Dr6, dr6 | 1 << 14);
                }
            }
            if single_step {
                raise(cx, 1, None);
            }
        }
        Ok(Outcome::Unhandled) => {
            crate::guest_log!(cx, Warning, "an instruction that is not emulated");
            raise(cx, 6, None);
        }
        Err(trap) => {
            if !inject::trap(cx, trap) {
                crash::triple_fault(cx);
            }
        }
    }
}

/// An access that the physical map did not allow: to another domain's page in a way that was not
/// granted (#GP, as on Xen), to a device of the control domain's that is not mapped yet, to the
/// local APIC, or to nothing at all.
fn nested(cx: &mut Cx, gpa: u64, write: bool, exec: bool, walk: bool) {
    let gfn = Gfn(gpa >> 12);
    let found = cx.dom.hvm.get().and_then(|hvm| hvm.nested.lookup(gfn));
    if let Some(found) = found {
        // Where it may be done, another vCPU has put something there meanwhile: once more.
        if write && !found.writable || exec && found.kind != Kind::Ram {
            raise(cx, 13, Some(0));
        }
        return;
    }
    if !mmio::is_apic(cx, gpa) && crate::mem::p2m::map_device(cx, gfn) {
        return;
    }
    let result = if write {
        x86_emulate::store(&mut Emulated::new(cx))
    } else {
        // The one operand that such instructions have is what the exit is about.
        let known = (!walk).then_some(gpa);
        x86_emulate::load(&mut Emulated { cx, known })
    };
    // What reads and writes memory in one is a store.
    let result = match result {
        Ok(Outcome::Unhandled) if !write => x86_emulate::store(&mut Emulated::new(cx)),
        result => result,
    };
    finish(cx, result);
}

/// Whether an event was on its way to the guest through memory that there is not: a table or a
/// stack that leads nowhere. What the instruction at RIP is has nothing to do with it, and the
/// next event would fare no better.
fn is_undeliverable(cx: &Cx, gpa: u64) -> bool {
    cx.st.hvm.as_ref().is_some_and(|hvm| {
        hvm.state.event().is_some() && hvm.state.nested().lookup(Gfn(gpa >> 12)).is_none()
    })
}

/// HLT: waits for an interrupt.
fn halt(cx: &mut Cx) {
    let next = cx.st.hvm.as_ref().and_then(|hvm| hvm.state.next_rip());
    let rip = cx.cpu.regs().rip;
    retire(cx, next.unwrap_or(rip.wrapping_add(1)));
    if let Some(hvm) = &mut cx.st.hvm {
        hvm.look = true;
    }
    if start::is_for_good(cx) {
        return start::stop(cx);
    }
    if super::has_work(cx) {
        return;
    }
    cx.hv.sched.block(cx.vcpu);
    // What came between the look and the mark found nobody to wake.
    if super::has_work(cx) {
        cx.hv.sched.unblock_self(cx.vcpu);
    } else {
        cx.reschedule();
    }
}
