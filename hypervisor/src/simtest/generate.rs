//! Makes scripts: single operations of all kinds, and plans of several that belong together.

use super::arguments::Maker;
use super::calls::{FAMILIES, PLAIN};
use super::chance::Chance;
use super::layout::*;
use super::op::Op;
use super::plans;
use super::script::{Script, Setting, Who};
use super::value::Val;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use xen_abi::hypercall as nr;
use xen_abi::{domctl, event_channel, mmu, platform, sched, vcpu};

/// Instructions that a guest's kernel must not execute itself, as their bytes.
const INSNS: &[u64] = &[
    0xa20f,              // CPUID
    0x320f,              // RDMSR
    0x300f,              // WRMSR
    0xd8_200f,           // MOV RAX, CR3
    0xd8_220f,           // MOV CR3, RAX
    0xc0_200f,           // MOV RAX, CR0
    0xe0_220f,           // MOV CR4, RAX
    0x060f,              // CLTS
    0xf4,                // HLT
    0xec,                // IN AL, DX
    0xee,                // OUT DX, AL
    0x6c,                // INSB
    0x6e,                // OUTSB
    0x0b0f,              // UD2
    0xa2_0f6e_6578_0b0f, // UD2 "xen": CPUID by force
    0x310f,              // RDTSC
    0xd1_010f,           // XSETBV
    0x090f,              // WBINVD
    0xf8_010f,           // SWAPGS
    0xc0_230f,           // MOV DR0, RAX
];

/// Operations that end the machine or stop the caller: seldom, and never by the control domain
/// but once in a long while.
fn ends(call: u32, op: u32) -> bool {
    matches!(
        (call, op),
        (
            nr::SCHED_OP,
            sched::SCHEDOP_shutdown | sched::SCHEDOP_remote_shutdown | sched::SCHEDOP_watchdog
        ) | (nr::PLATFORM_OP, platform::XENPF_enter_acpi_sleep)
            | (nr::VCPU_OP, vcpu::VCPUOP_down)
            | (nr::EVENT_CHANNEL_OP, event_channel::EVTCHNOP_reset)
            | (
                nr::MMUEXT_OP,
                mmu::MMUEXT_NEW_BASEPTR | mmu::MMUEXT_NEW_USER_BASEPTR
            )
            | (nr::CALLBACK_OP, _)
            | (nr::SET_TRAP_TABLE | nr::STACK_SWITCH, _)
            | (nr::DOMCTL, domctl::XEN_DOMCTL_destroydomain)
    )
}

/// Families and how often each is taken.
const WEIGHTS: &[(u32, u64)] = &[
    (nr::EVENT_CHANNEL_OP, 10),
    (nr::GRANT_TABLE_OP, 14),
    (nr::MEMORY_OP, 10),
    (nr::MMUEXT_OP, 12),
    (nr::VCPU_OP, 6),
    (nr::SCHED_OP, 4),
    (nr::CALLBACK_OP, 1),
    (nr::NMI_OP, 1),
    (nr::PHYSDEV_OP, 4),
    (nr::XEN_VERSION, 1),
    (nr::HVM_OP, 1),
    (nr::PLATFORM_OP, 2),
    (nr::SYSCTL, 3),
    (nr::DOMCTL, 12),
];

/// Makes one vCPU's steps.
struct Author {
    who: Who,
    chance: Chance,
    plan: VecDeque<Op>,
    /// How seldom it does what may end it.
    hardy: u64,
}

impl Author {
    fn maker(&mut self) -> Maker<'_> {
        Maker::new(&mut self.chance, self.who)
    }

    fn family_op(&mut self) -> Op {
        // Guests without privilege are refused the tools' calls: once in a while is enough.
        let mut at = self.chance.below(if self.who.slot == 0 { 81 } else { 72 });
        let mut call = nr::DOMCTL;
        for (number, weight) in WEIGHTS {
            if at < *weight {
                call = *number;
                break;
            }
            at -= weight;
        }
        let family = FAMILIES.iter().find(|family| family.nr == call);
        let family = family.unwrap_or(&FAMILIES[0]);
        let (_, op) = family.ops[self.chance.below(family.ops.len() as u64) as usize];
        let rarity = if self.who.slot == 0 { 2000 } else { self.hardy };
        if ends(family.nr, op) && !self.chance.once_in(rarity) {
            return self.access();
        }
        // The tools mostly work on the others.
        let target = (self.who.slot == 0 && !self.chance.once_in(8))
            .then(|| 1 + self.chance.below(u64::from(SLOTS) - 1));
        self.maker().operation(family, op, target)
    }

    fn plain(&mut self) -> Op {
        let heavy = [nr::UPDATE_VA_MAPPING, nr::MMU_UPDATE, nr::SET_TIMER_OP];
        let at = self.chance.below(PLAIN.len() as u64 * 2) as usize;
        let wanted = PLAIN
            .get(at)
            .map_or_else(|| self.chance.of(&heavy), |row| row.0);
        let rarity = if self.who.slot == 0 { 2000 } else { self.hardy };
        if ends(wanted, 0) && !self.chance.once_in(rarity) {
            return self.access();
        }
        let (number, kinds) = PLAIN
            .iter()
            .find(|row| row.0 == wanted)
            .copied()
            .unwrap_or(PLAIN[0]);
        self.maker().plain(number, kinds)
    }

    fn access(&mut self) -> Op {
        let mut maker = self.maker();
        let n = match maker.chance.below(4) {
            0 => FRAMES + maker.chance.below(SPARE.into()) as u16,
            _ => maker.data(),
        };
        let va = if maker.chance.once_in(40) {
            maker.value(super::calls::Kind::Any)
        } else {
            Val::Data(n, maker.chance.of(&[0, 8, 16, 24, 32, 256, 4088]))
        };
        match maker.chance.below(12) {
            0 => Op::Fetch(va),
            1..=4 => Op::Read(va),
            _ => {
                let value = maker.value(super::calls::Kind::Pte);
                let size = maker.chance.of(&[8, 8, 8, 4, 1]);
                Op::Write(va, size, value)
            }
        }
    }

    fn poke(&mut self) -> Op {
        let chance = &mut self.chance;
        if chance.once_in(3) {
            // Pending and masked bits, and the vCPUs' own bytes.
            let at = chance.of(&[0, 1, 64, 65, 2048, 2560]);
            let value = if chance.once_in(2) {
                0
            } else {
                chance.below(256)
            };
            return Op::Poke(0, at, 1, Val::Num(value));
        }
        // A grant: flags and who, then the frame.
        let gref = 8 + chance.below(8) as u16;
        let (own, to) = (self.who.slot, chance.below(SLOTS.into()));
        if chance.once_in(2) {
            let flags = chance.of(&[0, 1, 1, 1, 5, 2, 3, 0x101]);
            Op::Poke(1, gref * 8, 4, Val::Num(to << 16 | flags))
        } else {
            let frame = self.maker().frame();
            Op::Poke(1, gref * 8 + 4, 4, Val::Mfn(own, frame))
        }
    }

    fn single(&mut self) -> Op {
        match self.chance.below(64) {
            0..=27 => self.family_op(),
            28..=38 => self.plain(),
            39..=50 => self.access(),
            51..=55 => self.poke(),
            56 | 57 => Op::Insn(self.chance.of(INSNS)),
            58 => Op::Trap(self.chance.of(&[0, 1, 3, 6, 7, 13, 14])),
            59 => Op::Int(self.chance.of(&[3, 4, 0x80, 0x82, 14])),
            60 => Op::User,
            _ => Op::Work(self.chance.of(&[100, 1000, 50_000, 400_000])),
        }
    }

    fn next(&mut self) -> Op {
        if let Some(op) = self.plan.pop_front() {
            // Now and then something comes in between.
            if self.chance.once_in(10) {
                self.plan.push_front(op);
                return self.single();
            }
            return op;
        }
        if self.chance.once_in(4) {
            self.plan = plans::plan(&mut self.chance, self.who);
        }
        self.single()
    }
}

/// A script of `steps` steps by a seed.
pub fn script(seed: u64, steps: usize) -> Script {
    let mut chance = Chance::new(seed ^ 0xabcd_ef01);
    let mut authors: Vec<Author> = Who::all()
        .map(|who| Author {
            who,
            chance: Chance::new(seed.wrapping_add((who.index() as u64 + 1) << 48)),
            plan: VecDeque::new(),
            hardy: [10, 40, 200][seed as usize % 3],
        })
        .collect();
    let steps = (0..steps)
        .map(|_| {
            let author = &mut authors[chance.below(6) as usize];
            (author.who, author.next())
        })
        .collect();
    Script {
        setting: Setting::of(seed),
        steps,
    }
}

/// Whether `who` must not do this where domain 1 is not to learn of domain 2's secret: it would
/// be told by design, or domain 2's own course would depend on the secret.
fn tells(who: Who, op: &Op) -> bool {
    let Op::Call { nr: call, op, .. } = op else {
        return who.slot != 1 && matches!(op, Op::Poke(1, ..));
    };
    let grants = u32::from(*call) == nr::GRANT_TABLE_OP;
    let fifo = [
        event_channel::EVTCHNOP_init_control,
        event_channel::EVTCHNOP_expand_array,
    ];
    let events = u32::from(*call) == nr::EVENT_CHANNEL_OP && fifo.contains(op);
    who.slot != 1 && grants || who.slot == 2 && events
}

/// A script for [`super::session::twins`]: as [`script`], but nobody gives domain 1 what is
/// domain 2's.
pub fn twin_script(seed: u64, steps: usize) -> Script {
    let mut script = script(seed, steps);
    script.steps.retain(|(who, op)| !tells(*who, op));
    script
}
