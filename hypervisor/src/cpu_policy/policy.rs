//! A policy: all that CPUID, and two MSRs, say about one kind of processor.
//!
//! It is plain data with the bounds of Xen's wire form. Leaves beyond the limits that the policy
//! itself states are zero once [`Policy::clear_beyond_limits`] ran.

use xen_abi::arch_x86::{XEN_CPUID_NO_SUBLEAF, XEN_X86_FEATURE_ARCH_CAPS};

/// EAX, EBX, ECX, EDX.
pub type Regs = [u32; 4];

/// Register numbers in [`Regs`].
pub const EAX: usize = 0;
/// EBX.
pub const EBX: usize = 1;
/// ECX.
pub const ECX: usize = 2;
/// EDX.
pub const EDX: usize = 3;

/// Highest basic leaf of a policy.
pub const MAX_BASIC: u32 = 0xd;
/// Highest subleaf of leaf 7.
pub const MAX_FEATURE: u32 = 2;
/// First extended leaf.
pub const EXTENDED: u32 = 0x8000_0000;
/// Highest extended leaf.
pub const MAX_EXTENDED: u32 = 0x8000_0021;
/// First leaf of a hypervisor, and of a second interface of one.
pub const HYPERVISOR: [u32; 2] = [0x4000_0000, 0x4000_0100];

const CACHES: usize = 6;
const LEVELS: usize = 2;
const STATES: usize = 63;

/// Who made the processor, as far as CPUID's layout depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// Intel.
    Intel,
    /// AMD or Hygon.
    Amd,
    /// Anybody else.
    Other,
}

/// A CPU policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Leaves 0 to 0xd; those with subleaves (4, 7, 0xb, 0xd) are below.
    pub basic: [Regs; MAX_BASIC as usize + 1],
    /// Leaf 4.
    pub cache: [Regs; CACHES],
    /// Leaf 7.
    pub feature: [Regs; MAX_FEATURE as usize + 1],
    /// Leaf 0xb.
    pub topology: [Regs; LEVELS],
    /// Leaf 0xd.
    pub xstate: [Regs; STATES],
    /// Leaves from 0x80000000 on.
    pub extended: [Regs; (MAX_EXTENDED - EXTENDED) as usize + 1],
    /// Highest of the hypervisor's own leaves, less its first; 0 for all there are. And of a
    /// second interface's.
    pub hypervisor_limit: [u32; 2],
    /// MSR 0xce: bit 31 is CPUID faulting.
    pub platform_info: u32,
    /// MSR 0x10a, low and high word.
    pub arch_caps: [u32; 2],
}

impl Policy {
    /// Of a processor that says nothing.
    pub const fn empty() -> Policy {
        Policy {
            basic: [[0; 4]; _],
            cache: [[0; 4]; _],
            feature: [[0; 4]; _],
            topology: [[0; 4]; _],
            xstate: [[0; 4]; _],
            extended: [[0; 4]; _],
            hypervisor_limit: [0; 2],
            platform_info: 0,
            arch_caps: [0; 2],
        }
    }

    /// Highest basic leaf; 0xd at most is kept.
    pub fn max_basic(&self) -> u32 {
        self.basic[0][EAX].min(MAX_BASIC)
    }

    /// Highest subleaf of leaf 7; 2 at most is kept.
    pub fn max_feature(&self) -> u32 {
        self.feature[0][EAX].min(MAX_FEATURE)
    }

    /// Highest extended leaf, less 0x80000000; 0x21 at most is kept.
    pub fn max_extended(&self) -> u32 {
        (self.extended[0][EAX] & 0xffff).min(MAX_EXTENDED - EXTENDED)
    }

    /// The components of extended state that leaf 0xd lists.
    pub fn states(&self) -> u64 {
        let [user, system, ..] = &self.xstate;
        let wide = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        wide(user[EAX], user[EDX]) | wide(system[ECX], system[EDX])
    }

    /// Bits of a physical address.
    pub fn address_bits(&self) -> u32 {
        (self.extended[8][EAX] & 0xff).clamp(36, 52)
    }

    /// MSR 0x10a; `None` for a processor that has none.
    pub fn arch_caps(&self) -> Option<u64> {
        let [low, high] = self.arch_caps;
        let there = self.features().has(XEN_X86_FEATURE_ARCH_CAPS);
        there.then_some(u64::from(low) | u64::from(high) << 32)
    }

    /// Who made it.
    pub fn vendor(&self) -> Vendor {
        let [_, b, c, d] = self.basic[0];
        // The twelve letters are in EBX, EDX, ECX.
        let name = [b.to_le_bytes(), d.to_le_bytes(), c.to_le_bytes()];
        match name.as_flattened() {
            b"GenuineIntel" => Vendor::Intel,
            b"AuthenticAMD" | b"HygonGenuine" => Vendor::Amd,
            _ => Vendor::Other,
        }
    }

    /// Where a leaf of the wire form is kept; `None` when it is out of bounds. The hypervisor's
    /// limits are not among them.
    pub fn slot(&mut self, leaf: u32, sub: u32) -> Option<&mut Regs> {
        let only = sub == XEN_CPUID_NO_SUBLEAF;
        let sub = sub as usize;
        match leaf {
            4 => self.cache.get_mut(sub),
            7 => self.feature.get_mut(sub),
            0xb => self.topology.get_mut(sub),
            0xd => self.xstate.get_mut(sub),
            0..EXTENDED => self.basic.get_mut(leaf as usize).filter(|_| only),
            EXTENDED.. => self
                .extended
                .get_mut((leaf - EXTENDED) as usize)
                .filter(|_| only),
        }
    }

    /// Empties all that lies beyond the limits in leaves 0, 7 and 0x80000000, beyond the last
    /// cache, level or component.
    pub fn clear_beyond_limits(&mut self) {
        let max = self.max_basic();
        clear_from(&mut self.basic, max as usize + 1);
        let caches = self.cache.iter().take_while(|c| c[EAX] & 0x1f != 0).count();
        clear_from(&mut self.cache, if max < 4 { 0 } else { caches });
        let features = self.max_feature() as usize + 1;
        clear_from(&mut self.feature, if max < 7 { 0 } else { features });
        let levels = self.topology.iter();
        let levels = levels.take_while(|l| l[ECX] & 0xff00 != 0).count();
        clear_from(&mut self.topology, if max < 0xb { 0 } else { levels });
        let states = 64 - self.states().leading_zeros() as usize;
        let states = if max < 0xd { 0 } else { states };
        clear_from(
            &mut self.xstate,
            if states == 0 { 0 } else { states.max(2) },
        );
        let extended = self.max_extended() as usize + 1;
        clear_from(&mut self.extended, extended);
    }
}

/// Empties the leaves from number `from` on.
pub fn clear_from(leaves: &mut [Regs], from: usize) {
    for leaf in leaves.iter_mut().skip(from) {
        *leaf = [0; 4];
    }
}
