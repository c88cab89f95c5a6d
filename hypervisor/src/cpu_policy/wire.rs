//! A policy as the tools pass it: arrays of leaves and of MSRs (`xen_cpuid_leaf_t`,
//! `xen_msr_entry_t`). What comes from them is copied entry by entry, once.

use super::build::{ARCH_CAPS, PLATFORM_INFO};
use super::policy::*;
use crate::cx::Cx;
use crate::guest::GuestPtr;
use xen_abi::Errno;
use xen_abi::arch_x86::{CpuidLeaf, MsrEntry, XEN_CPUID_NO_SUBLEAF};

/// Leaves that a policy has at most.
pub const MAX_LEAVES: u32 = 120;
/// MSRs that a policy has.
pub const MAX_MSRS: u32 = 2;

/// Names what was wrong with a policy: leaf, subleaf and MSR, all ones for none.
pub type Culprit = [u32; 3];
/// Nothing in particular was wrong.
pub const NOBODY: Culprit = [u32::MAX; 3];

impl Policy {
    /// Calls `each` with the leaves in order, until it fails.
    pub fn leaves(
        &self,
        mut each: impl FnMut(CpuidLeaf) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let mut put = |leaf, subleaf, [a, b, c, d]: Regs| {
            each(CpuidLeaf {
                leaf,
                subleaf,
                a,
                b,
                c,
                d,
            })
        };
        for (leaf, regs) in (0..=self.max_basic()).zip(&self.basic) {
            // With the first that is none, which ends a list.
            let (subs, count): (&[Regs], usize) = match leaf {
                4 => (&self.cache, 1 + listed(&self.cache, |r| r[EAX] & 0x1f != 0)),
                7 => (&self.feature, self.max_feature() as usize + 1),
                0xb => {
                    let levels = listed(&self.topology, |r| r[ECX] & 0xff00 != 0);
                    (&self.topology, 1 + levels)
                }
                0xd => {
                    let states = 64 - self.states().leading_zeros() as usize;
                    (&self.xstate, states.max(2))
                }
                _ => {
                    put(leaf, XEN_CPUID_NO_SUBLEAF, *regs)?;
                    continue;
                }
            };
            for (sub, regs) in (0..).zip(subs.iter().take(count)) {
                put(leaf, sub, *regs)?;
            }
        }
        for (leaf, limit) in HYPERVISOR.into_iter().zip(self.hypervisor_limit) {
            put(leaf, XEN_CPUID_NO_SUBLEAF, [limit, 0, 0, 0])?;
        }
        for (leaf, regs) in (0..=self.max_extended()).zip(&self.extended) {
            put(EXTENDED + leaf, XEN_CPUID_NO_SUBLEAF, *regs)?;
        }
        Ok(())
    }

    /// Takes a leaf from the tools. `None` when there is no such leaf.
    fn set_leaf(&mut self, from: &CpuidLeaf) -> Option<()> {
        let regs = [from.a, from.b, from.c, from.d];
        if let Some(n) = HYPERVISOR.iter().position(|&leaf| leaf == from.leaf) {
            let limit = self.hypervisor_limit.get_mut(n)?;
            (from.subleaf == XEN_CPUID_NO_SUBLEAF).then(|| *limit = from.a)
        } else {
            self.slot(from.leaf, from.subleaf).map(|slot| *slot = regs)
        }
    }

    /// Its MSRs.
    fn msrs(&self) -> [MsrEntry; MAX_MSRS as usize] {
        let [low, high] = self.arch_caps;
        let entry = |idx, val| MsrEntry { idx, flags: 0, val };
        [
            entry(PLATFORM_INFO, self.platform_info.into()),
            entry(ARCH_CAPS, u64::from(low) | u64::from(high) << 32),
        ]
    }

    /// Takes an MSR from the tools. Errors: `EINVAL` for flags; `ERANGE` for another MSR;
    /// `EOVERFLOW` for more bits than it has.
    fn set_msr(&mut self, from: &MsrEntry) -> Result<(), Errno> {
        if from.flags != 0 {
            return Err(Errno::EINVAL);
        }
        match from.idx {
            PLATFORM_INFO => {
                self.platform_info = u32::try_from(from.val).map_err(|_| Errno::EOVERFLOW)?;
            }
            ARCH_CAPS => self.arch_caps = [from.val as u32, (from.val >> 32) as u32],
            _ => return Err(Errno::ERANGE),
        }
        Ok(())
    }
}

fn listed(leaves: &[Regs], is: impl Fn(&Regs) -> bool) -> usize {
    leaves.iter().take_while(|regs| is(regs)).count()
}

/// Writes `p`'s leaves where there is room for `count`, and returns how many they are; for a
/// null pointer how many there can be. Errors: `ENOBUFS`, `EFAULT`.
pub fn write_leaves(
    cx: &mut Cx,
    p: &Policy,
    to: GuestPtr<CpuidLeaf>,
    count: u32,
) -> Result<u32, Errno> {
    if to.is_null() {
        return Ok(MAX_LEAVES);
    }
    let mut done = 0;
    p.leaves(|leaf| {
        if done >= count {
            return Err(Errno::ENOBUFS);
        }
        cx.copy_out(to.add(done.into()), &leaf)?;
        done += 1;
        Ok(())
    })?;
    Ok(done)
}

/// Writes `p`'s MSRs likewise.
pub fn write_msrs(
    cx: &mut Cx,
    p: &Policy,
    to: GuestPtr<MsrEntry>,
    count: u32,
) -> Result<u32, Errno> {
    if to.is_null() {
        return Ok(MAX_MSRS);
    }
    for (n, entry) in (0..).zip(p.msrs()) {
        if n >= count {
            return Err(Errno::ENOBUFS);
        }
        cx.copy_out(to.add(n.into()), &entry)?;
    }
    Ok(MAX_MSRS)
}

/// Reads `count` leaves over what `p` has. Errors: `E2BIG`, `EFAULT`; `ERANGE` with the leaf that
/// does not exist.
pub fn read_leaves(
    cx: &mut Cx,
    p: &mut Policy,
    from: GuestPtr<CpuidLeaf>,
    count: u32,
) -> Result<(), (Errno, Culprit)> {
    if count > MAX_LEAVES {
        return Err((Errno::E2BIG, NOBODY));
    }
    for n in 0..count {
        let leaf = cx.copy_in(from.add(n.into()));
        let leaf = leaf.map_err(|errno| (errno, NOBODY))?;
        p.set_leaf(&leaf)
            .ok_or((Errno::ERANGE, [leaf.leaf, leaf.subleaf, u32::MAX]))?;
    }
    Ok(())
}

/// Reads `count` MSRs over what `p` has. Errors: `E2BIG`, `EFAULT`; those of a single MSR, with
/// its number.
pub fn read_msrs(
    cx: &mut Cx,
    p: &mut Policy,
    from: GuestPtr<MsrEntry>,
    count: u32,
) -> Result<(), (Errno, Culprit)> {
    if count > MAX_MSRS {
        return Err((Errno::E2BIG, NOBODY));
    }
    for n in 0..count {
        let entry = cx.copy_in(from.add(n.into()));
        let entry: MsrEntry = entry.map_err(|errno| (errno, NOBODY))?;
        p.set_msr(&entry)
            .map_err(|errno| (errno, [u32::MAX, u32::MAX, entry.idx]))?;
    }
    Ok(())
}
