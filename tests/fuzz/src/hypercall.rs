//! Calls, exceptions and accesses of a guest without privilege, and calls of dom0's tools, on
//! the simulated machine, whose rules are checked all along and whose memory is afterwards.
//!
//! The machine is used for a number of inputs and then made anew, since a machine is for ever:
//! what an input does may depend on the ones before it, back to the first on the machine.

use crate::bytes::Bytes;
use hypervisor::cx::Cx;
use hypervisor::fail::Fail;
use hypervisor::hypercall::{Row, TABLE, dispatch_pv};
use hypervisor::pv;
use hypervisor::testing::{ARG_PAGE, DATA_PAGES, DATA_VA, TestDomain, World};
use machine::CpuApi;
use std::cell::RefCell;
use std::sync::atomic::Ordering;
use xen_abi::domctl::XEN_DOMCTL_INTERFACE_VERSION;
use xen_abi::hypercall::{DOMCTL, IRET, MULTICALL, PLATFORM_OP, SCHED_OP, SYSCTL, VCPU_OP};
use xen_abi::platform::{XENPF_INTERFACE_VERSION, XENPF_enter_acpi_sleep};
use xen_abi::sysctl::{XEN_SYSCTL_INTERFACE_VERSION, XEN_SYSCTL_debug_keys};
use xen_abi::vcpu::VCPUOP_down;

/// Inputs that one machine serves.
pub const INPUTS: u32 = 64;
/// Operations of an input.
const OPERATIONS: usize = 40;
/// Bytes that one operation is made of, so that a change to one leaves the others alone.
pub const BLOCK: usize = 48;
/// How often a call is made again that wants to be.
const RESTARTS: u32 = 64;

struct Bed {
    world: World,
    /// The control domain and a guest; another guest is there to be named.
    domains: [TestDomain; 2],
    used: u32,
}

thread_local! {
    static BED: RefCell<Option<Bed>> = const { RefCell::new(None) };
}

/// Plays the operations that the input is made of.
pub fn run(data: &[u8]) {
    BED.with_borrow_mut(|bed| {
        // A panic leaves none behind.
        let mut now = match bed.take() {
            Some(bed) if bed.used < INPUTS && !bed.is_over() => bed,
            _ => Bed::new(),
        };
        now.used += 1;
        let (first, blocks) = data.split_first().unwrap_or((&0, &[]));
        now.world
            .machine
            .set_patience([None, Some(1), Some(2), Some(7)][usize::from(first % 4)]);
        for block in blocks.chunks(BLOCK).take(OPERATIONS) {
            if now.is_over() {
                break;
            }
            now.operation(&mut Bytes(block));
        }
        now.world.machine.set_patience(None);
        now.world.hv.reap();
        if let Err(wrong) = now.world.machine.audit() {
            panic!("{wrong}");
        }
        *bed = Some(now);
    });
}

impl Bed {
    fn new() -> Bed {
        let world = World::new(1);
        let domains = [(0, true), (1, false)].map(|(id, control)| world.domain(id, control, 1));
        // Nobody runs it.
        let _other = Box::leak(Box::new(world.domain(2, false, 1)));
        Bed {
            world,
            domains,
            used: 0,
        }
    }

    /// Whether one of the domains has ended.
    fn is_over(&self) -> bool {
        let gone =
            |dom: &TestDomain| dom.dom.is_shut_down() || dom.dom.dying.load(Ordering::SeqCst);
        self.domains.iter().any(gone)
    }

    fn operation(&self, bytes: &mut Bytes<'_>) {
        let who = usize::from(bytes.below(4) != 0);
        let domain = &self.domains[who];
        self.world.machine.advance(bytes.u8().into());
        match bytes.below(16) {
            0 => self.exception(domain, bytes),
            1 => self.access(domain, bytes),
            _ => self.call(domain, who == 0, bytes),
        }
    }

    /// A word with a meaning, more often than not.
    fn word(&self, domain: &TestDomain, bytes: &mut Bytes<'_>) -> u64 {
        let frame = |n: usize| domain.data[n % DATA_PAGES].mfn();
        match bytes.below(14) {
            0 | 1 => bytes.u8().into(),
            2 => domain.va(bytes.below(DATA_PAGES), u64::from(bytes.u8()) * 16),
            3 => domain.va(ARG_PAGE, 0),
            4 => frame(bytes.below(DATA_PAGES)).0,
            5 => [
                domain.root.mfn().0,
                domain.l1.mfn().0,
                domain.dom.shared_info.mfn().0,
            ][bytes.below(3)],
            6 => 0x7ff0 | u64::from(bytes.u8() & 0xf),
            7 => frame(bytes.below(DATA_PAGES)).0 << 12 | u64::from(bytes.u8()),
            8 => {
                // The address of an entry, with a command in its low bits.
                let table = [&domain.root, &domain.l1][bytes.below(2)].mfn().0;
                table << 12 | u64::from(bytes.u16() & 0xfff)
            }
            9 => u64::from(bytes.u8()).wrapping_neg(),
            10 => bytes.u16().into(),
            11 => bytes.u32().into(),
            12 => 1 << (bytes.u8() & 63),
            _ => bytes.u64(),
        }
    }

    fn call(&self, domain: &TestDomain, control: bool, bytes: &mut Bytes<'_>) {
        let rows: Vec<&Row> = TABLE.iter().filter(|row| row.pv).collect();
        let row = rows[bytes.below(rows.len())];
        let mut args = [0; 6];
        for arg in args.iter_mut().take(row.args) {
            *arg = self.word(domain, bytes);
        }
        let words = bytes.below(24);
        let mut page: Vec<u64> = (0..words)
            .map(|_| {
                if bytes.below(2) == 0 {
                    self.word(domain, bytes)
                } else {
                    let low = self.word(domain, bytes) & 0xffff_ffff;
                    low | self.word(domain, bytes) << 32
                }
            })
            .collect();
        // The tools' calls go nowhere without a version.
        let version = match row.nr {
            DOMCTL => XEN_DOMCTL_INTERFACE_VERSION,
            SYSCTL => XEN_SYSCTL_INTERFACE_VERSION,
            PLATFORM_OP => XENPF_INTERFACE_VERSION,
            _ => 0,
        };
        if version != 0 && bytes.below(8) != 0 {
            page.resize(page.len().max(2), 0);
            page[0] = u64::from(bytes.u8()) | u64::from(version) << 32;
            if row.nr == DOMCTL {
                page[1] = page[1] & !0xffff | u64::from(bytes.u8() & 3);
            }
            args[0] = domain.va(ARG_PAGE, 0);
        }
        let first = page.first().map_or(0, |word| *word as u32);
        let ends_the_machine = match row.nr {
            // Shutting down, in each of its forms, and the watchdog.
            SCHED_OP => !matches!(args[0], 0 | 1 | 3),
            SYSCTL => first == XEN_SYSCTL_debug_keys,
            // Its last vCPU going down.
            VCPU_OP => args[0] == VCPUOP_down.into(),
            PLATFORM_OP => first == XENPF_enter_acpi_sleep,
            // It may hold any of these.
            MULTICALL => true,
            _ => false,
        };
        // `iret` from registers at random is always the guest's end.
        if control && ends_the_machine || row.nr == IRET {
            return;
        }
        for (word, slot) in page.iter().zip(domain.data[ARG_PAGE].words()) {
            slot.store(*word, Ordering::Relaxed);
        }
        self.world.on(domain, 0, 0, |cx| {
            let regs = cx.cpu.regs_mut();
            regs.rax = row.nr.into();
            [regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9] = args;
            finish(cx, row.nr, control);
        });
    }

    fn exception(&self, domain: &TestDomain, bytes: &mut Bytes<'_>) {
        let vector = [6, 13, 13, 14, 14, bytes.u8() & 31][bytes.below(6)];
        let error = [0, 3, 7, u32::from(bytes.u16())][bytes.below(4)];
        let code = bytes.u64().to_le_bytes();
        for (offset, byte) in code.iter().enumerate() {
            if let Some(at) = domain.data[0].byte(offset) {
                at.store(*byte, Ordering::Relaxed);
            }
        }
        let rip = [domain.va(0, 0), self.word(domain, bytes)][usize::from(bytes.below(8) == 0)];
        let gprs: [u64; 7] = core::array::from_fn(|_| self.word(domain, bytes));
        // Dom0's end is the machine's, and exceptions without handlers are an end.
        if domain.dom.privileged {
            return;
        }
        self.world.on(domain, 0, 0, |cx| {
            let kernel = bytes.below(4) != 0;
            cx.st.kernel_mode = kernel;
            let regs = cx.cpu.regs_mut();
            (regs.rip, regs.error, regs.vector) = (rip, error, vector.into());
            [
                regs.rax, regs.rcx, regs.rdx, regs.rbx, regs.rsi, regs.rdi, regs.rsp,
            ] = gprs;
            pv::exception(cx, vector);
            cx.st.kernel_mode = true;
        });
    }

    /// Reads or writes memory as the hypervisor does for the guest.
    fn access(&self, domain: &TestDomain, bytes: &mut Bytes<'_>) {
        let at = self.word(domain, bytes);
        let value = self.word(domain, bytes).to_le_bytes();
        self.world.on(domain, 0, 0, |cx| {
            let mut read = [0; 8];
            let _ = cx.cpu.read_guest(at, &mut read);
            if (DATA_VA..DATA_VA + 0x1_0000).contains(&at) {
                let _ = cx.cpu.write_guest(at, &value);
            }
        });
    }
}

/// Makes the call in the registers until it is through, or was asked for often enough.
fn finish(cx: &mut Cx, nr: u32, control: bool) {
    for _ in 0..RESTARTS {
        let r = dispatch_pv(cx, nr.into());
        eprintln!(
            "RES {control} {} {r:?}",
            hypervisor::hypercall::name(nr.into())
        );
        match r {
            Err(Fail::Restart) if cx.live => {}
            Err(Fail::Crash(why)) if !control => return pv::crash(cx, why),
            _ => return,
        }
        cx.live = true;
    }
}
