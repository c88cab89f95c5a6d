//! What 32-bit code of a PVH kernel may rely on and is refused: hypercalls from compatibility
//! mode, their structures' 32-bit form, the shared page of 32-bit kernels, and a vCPU that never
//! sees 64-bit code.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

mod calls;
mod grants;
mod memory;
mod shared;
mod vcpus;
mod worker;

guest_rt::cases! {
    "pvh-32";
    "shared/mapped" => shared::mapped,
    "calls/version" => calls::version,
    "calls/registers" => calls::registers,
    "calls/features" => calls::features,
    "calls/strings" => calls::strings,
    "calls/unknown" => calls::unknown,
    "calls/bad-pointers" => calls::bad_pointers,
    "calls/top-page" => calls::top_page,
    "calls/multicall" => calls::multicall,
    "calls/multicall-refused" => calls::multicall_refused,
    "calls/console" => calls::console,
    "calls/vm-assist" => calls::vm_assist,
    "calls/tools" => calls::tools,
    "memory/reservation" => memory::reservation,
    "memory/there-and-back" => memory::there_and_back,
    "memory/lists-cut-off" => memory::lists_cut_off,
    "memory/moves" => memory::moves,
    "memory/range" => memory::range,
    "memory/batch" => memory::batch,
    "memory/map" => memory::memory_map,
    "memory/refused" => memory::refused,
    "grants/table" => grants::table,
    "grants/map" => grants::map,
    "grants/copy" => grants::copy,
    "grants/bad-counts" => grants::bad_counts,
    "grants/status-frames" => grants::status_frames,
    "vcpus/runstate" => vcpus::runstate,
    "vcpus/areas" => vcpus::areas,
    "vcpus/timers" => vcpus::timers,
    "vcpus/poll" => vcpus::poll,
    "vcpus/initialise-refused" => vcpus::initialise_refused,
    "shared/wide-until-said" => shared::wide_until_said,
    "shared/clock" => shared::clock,
    "shared/events" => shared::events,
    "shared/limit" => shared::limit,
    "shared/runstate-area" => shared::runstate_area,
    "shared/runstate-frame" => shared::runstate_frame,
    "shared/fifo" => shared::fifo,
    "shared/wide-again" => shared::wide_again,
    "worker/flat" => worker::flat,
    "worker/pae" => worker::pae,
    "worker/two-levels" => worker::two_levels,
    "worker/latches" => worker::latches,
    "worker/ring-3" => worker::ring_3,
    "worker/real-mode" => worker::real_mode,
}
