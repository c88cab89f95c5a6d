//! Inputs to begin with, well-formed ones, written down as code.

use crate::boot::BASE;
use crate::hypercall::BLOCK;
use hypervisor::hypercall::TABLE;

/// The seeds of a target.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "elf" => vec![elf(), Vec::from(*b"\x7fELF"), kernel()],
        "bzimage" => {
            let mut all: Vec<_> = packed().iter().map(|payload| bzimage(payload)).collect();
            all.push(bzimage(&kernel()));
            all
        }
        "unpack" => packed(),
        "zstd" => zstd(),
        "multiboot1" => vec![multiboot1(1 << 0), multiboot1(1 << 6), multiboot1(0x24d)],
        "multiboot2" => vec![
            multiboot2(&[]),
            multiboot2(&[1, 2, 3, 6]),
            multiboot2(&[2, 3, 12, 14, 17]),
        ],
        "acpi" => (0..3).map(acpi).collect(),
        "cmdline" => CMDLINES
            .iter()
            .map(|line| line.as_bytes().to_vec())
            .collect(),
        "emulate" => emulate(),
        "hypercall" => hypercall(),
        _ => Vec::new(),
    }
}

fn le32(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn le64(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A note: its type and value, named "Xen".
fn note(kind: u32, value: &[u8]) -> Vec<u8> {
    let mut out = le32(&[4, value.len() as u32, kind]);
    out.extend(b"Xen\0");
    out.extend(value);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

/// An ELF file with these program headers: type, physical and virtual address, contents.
fn file(entry: u64, parts: &[(u32, u64, u64, &[u8])]) -> Vec<u8> {
    let mut out = Vec::from(*b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    out.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    out.extend(le64(&[entry, 64, 0]));
    out.extend([
        0,
        0,
        0,
        0,
        64,
        0,
        56,
        0,
        parts.len() as u8,
        0,
        64,
        0,
        0,
        0,
        0,
        0,
    ]);
    let mut offset = 64 + 56 * parts.len() as u64;
    for (kind, paddr, vaddr, data) in parts {
        let len = data.len() as u64;
        out.extend(le32(&[*kind, 7]));
        out.extend(le64(&[
            offset,
            *vaddr,
            *paddr,
            len,
            len.next_multiple_of(4096),
            4096,
        ]));
        offset += len;
    }
    parts.iter().for_each(|part| out.extend(part.3));
    out
}

fn elf() -> Vec<u8> {
    file(
        0x1000,
        &[(1, 0x1000, 0x1000, b"text"), (1, 0x3000, 0x3000, b"data")],
    )
}

/// What a Linux kernel looks like, with all of its notes.
fn kernel() -> Vec<u8> {
    let high = 0xffff_ffff_8000_0000u64;
    let notes = [
        note(1, &(high + 0x100_0000).to_le_bytes()),
        note(2, &(high + 0x100_1000).to_le_bytes()),
        note(3, &high.to_le_bytes()),
        note(4, &0u64.to_le_bytes()),
        note(5, b"xen-3.0\0"),
        note(6, b"linux\0"),
        note(8, b"generic\0"),
        note(10, b"!writable_page_tables|pae_pgdir_above_4gb\0"),
        note(12, &0xffff_8000_0000_0000u64.to_le_bytes()),
        note(13, &[1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]),
        note(15, &0x80_0000_0000u64.to_le_bytes()),
        note(17, &0x8801u32.to_le_bytes()),
        note(18, &0x100_0300u32.to_le_bytes()),
    ]
    .concat();
    let text = [0x90; 64];
    file(
        0x100_0000,
        &[
            (1, 0x100_0000, high + 0x100_0000, &text),
            (1, 0x100_1000, 0, &text),
            (4, 0x100_2000, high + 0x100_2000, &notes),
        ],
    )
}

/// The loader's own test data: one text in each form.
fn packed() -> Vec<Vec<u8>> {
    let all: [&[u8]; 5] = [
        include_bytes!("../../../hypervisor/src/loader/unpack/testdata/plain.gz"),
        include_bytes!("../../../hypervisor/src/loader/unpack/testdata/plain.xz"),
        include_bytes!("../../../hypervisor/src/loader/unpack/testdata/plain.zst"),
        include_bytes!("../../../hypervisor/src/loader/unpack/testdata/plain.lz4"),
        include_bytes!("../../../hypervisor/src/loader/unpack/testdata/plain.lzo"),
    ];
    all.iter().map(|data| data.to_vec()).collect()
}

/// Frames of ruzstd's making, of data of different kinds, and the loader's.
fn zstd() -> Vec<Vec<u8>> {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    let mut state = 1u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let texts: [Vec<u8>; 4] = [
        Vec::new(),
        vec![7; 3000],
        (0..900).map(|_| noise()).collect(),
        (0..4000)
            .map(|n| b"a guest, a grant, a ring "[n % 25] ^ (noise() & 1))
            .collect(),
    ];
    let mut all: Vec<Vec<u8>> = texts
        .iter()
        .flat_map(|text| {
            [CompressionLevel::Uncompressed, CompressionLevel::Fastest]
                .map(|level| compress_to_vec(text.as_slice(), level))
        })
        .collect();
    // Linux' size is behind the loader's.
    let mut linux = packed().swap_remove(2);
    linux.truncate(linux.len() - 4);
    all.push(linux);
    all.push([all[2].clone(), all[5].clone()].concat());
    all
}

fn bzimage(payload: &[u8]) -> Vec<u8> {
    let mut image = vec![0u8; 0x400];
    image[0x1f1] = 1;
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x206..0x208].copy_from_slice(&0x20fu16.to_le_bytes());
    image[0x24c..0x250].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    image.extend(payload);
    image
}

fn multiboot1(flags: u32) -> Vec<u8> {
    let base = BASE as u32;
    let mut out = le32(&[flags, 639, 64 << 10, 0, base + 0x100, 2, base + 0x140]);
    out.resize(44, 0);
    out.extend(le32(&[48, base + 0x180, 0, 0, 0, base + 0x1c0]));
    let mut put = |at: usize, bytes: &[u8]| {
        out.resize(out.len().max(at + bytes.len()), 0);
        out[at..at + bytes.len()].copy_from_slice(bytes);
    };
    put(0x100, b"/boot/xenios loglvl=all dom0_mem=512M\0");
    put(
        0x140,
        &le32(&[
            0x20_0000,
            0x30_0000,
            base + 0x110,
            0,
            0x30_0000,
            0x40_0000,
            0,
            0,
        ]),
    );
    put(
        0x180,
        &[
            le32(&[20]),
            le64(&[0, 0x9_f000]),
            le32(&[1, 20]),
            le64(&[0x10_0000, 64 << 20]),
            le32(&[1]),
        ]
        .concat(),
    );
    put(0x1c0, b"qemu\0");
    out
}

fn multiboot2(kinds: &[u32]) -> Vec<u8> {
    let mut tags = Vec::new();
    for kind in kinds.iter().chain(&[0]) {
        let body = match kind {
            1 => b"loglvl=all console=com1\0".to_vec(),
            2 => b"GRUB 2.12\0".to_vec(),
            3 => [le32(&[0x20_0000, 0x30_0000]), b"root=/dev/sda\0".to_vec()].concat(),
            6 => [le32(&[24, 0]), le64(&[0x10_0000, 64 << 20]), le32(&[1, 0])].concat(),
            12 => le64(&[BASE + 0x800]),
            14 => b"RSD PTR \0BOCHS \0".to_vec(),
            17 => [le32(&[40, 1, 7, 0]), le64(&[0x10_0000, 0, 256, 15])].concat(),
            _ => Vec::new(),
        };
        tags.extend(le32(&[*kind, 8 + body.len() as u32]));
        tags.extend(body);
        tags.resize(tags.len().next_multiple_of(8), 0);
    }
    [le32(&[8 + tags.len() as u32, 0]), tags].concat()
}

/// A table with this signature and body, its checksum right.
fn table(signature: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = signature.to_vec();
    out.extend(le32(&[36 + body.len() as u32]));
    out.resize(36, 0);
    out.extend(body);
    out[9] = out.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
    out
}

/// A root pointer, found in the way `how`, with a MADT, FADT, HPET and MCFG behind it.
fn acpi(how: u8) -> Vec<u8> {
    let madt = [
        le32(&[0xfee0_0000, 1]),
        vec![0, 8, 0, 0, 1, 0, 0, 0, 0, 8, 1, 1, 1, 0, 0, 0],
        [vec![1, 12, 2, 0], le32(&[0xfec0_0000, 0])].concat(),
        vec![2, 10, 0, 0, 2, 0, 0, 0, 0, 0, 4, 6, 0xff, 0, 0, 1],
        [vec![9, 16, 0, 0], le32(&[300, 1, 2])].concat(),
    ]
    .concat();
    let mut fadt = vec![0; 240];
    fadt[4..8].copy_from_slice(&(BASE as u32 + 0x700).to_le_bytes());
    fadt[10] = 9;
    fadt[20..24].copy_from_slice(&0x600u32.to_le_bytes());
    fadt[28..32].copy_from_slice(&0x604u32.to_le_bytes());
    let mcfg = [
        vec![0; 8],
        le64(&[0xb000_0000]),
        vec![0, 0, 0, 255, 0, 0, 0, 0],
    ]
    .concat();
    let hpet = [vec![0; 8], le64(&[0xfed0_0000])].concat();
    let dsdt = table(b"DSDT", b"\x08_S5_\x12\x0a\x04\x0a\x05\x0a\x05\x00\x00");
    let mut out = vec![0; 0x800];
    let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    let mut rsdp = b"RSD PTR \0SEED  \x02".to_vec();
    rsdp.extend(le32(&[BASE as u32 + 0x100, 36]));
    rsdp.extend(le64(&[BASE + 0x180, 0]));
    rsdp[8] = rsdp[..20]
        .iter()
        .fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
    let places = [0x200, 0x300, 0x500, 0x600].map(|at: u64| BASE + at);
    // EFI's system table has the list of its tables' addresses at 104.
    if how == 2 {
        put(104, &le64(&[1, BASE + 0xc0]));
        put(
            0xc0,
            &[
                0x71, 0xe8, 0x68, 0x88, 0xf1, 0xe4, 0xd3, 0x11, 0xbc, 0x22, 0, 0x80, 0xc7, 0x3c,
                0x88, 0x81,
            ],
        );
        put(0xd0, &le64(&[BASE + 0xe0]));
        put(0xe0, &rsdp[..32]);
    } else {
        put(0, &rsdp);
    }
    put(0x100, &table(b"RSDT", &le32(&places.map(|at| at as u32))));
    put(0x180, &table(b"XSDT", &le64(&places)));
    put(0x200, &table(b"APIC", &madt));
    put(0x300, &table(b"FACP", &fadt));
    put(0x500, &table(b"HPET", &hpet));
    put(0x600, &table(b"MCFG", &mcfg));
    put(0x700, &dsdt);
    out.insert(0, how);
    out
}

const CMDLINES: [&str; 8] = [
    "",
    "console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all dom0_mem=256M noreboot",
    "dom0_mem=1G,max:2G,min:256M dom0_max_vcpus=1-4 dom0=pvh,verbose dom0_vcpus_pin",
    "com1=115200/1843200,8n1,0x3f8,4 com2=auto,8n1,pci,msi sync_console console_timestamps=boot",
    "spec-ctrl=no-xen,bti-thunk=retpoline,ibrs=no xpti=dom0=true,domu=false sched=rtds no-smep",
    "watchdog=force maxcpus=4 reboot=triple,cold mem=8G cpuid=no-avx,rdrand \"quoted word\" -- x",
    "loglvl=error/warning conring_size=64k sched_ratelimit_us=1000 dom0_ioports_disable=0x70-0x71",
    "no-real-mode edd=off vga=keep,text-80x25 unknown=option smt=0 x2apic clocksource=acpi",
];

/// For each form of code, some instructions.
fn emulate() -> Vec<Vec<u8>> {
    let codes: [&[u8]; 10] = [
        &[0x48, 0x89, 0x07],
        &[0x66, 0x67, 0x81, 0x00, 1, 2],
        &[0xf0, 0x48, 0x0f, 0xb1, 0x0e],
        &[0xf3, 0x48, 0xa5],
        &[0xf3, 0x6c],
        &[0x0f, 0x22, 0xd8],
        &[0x0f, 0x30],
        &[0x0f, 0x0b, b'x', b'e', b'n', 0x0f, 0xa2],
        &[0x0f, 0xba, 0x2f, 7],
        &[0x64, 0x8a, 0x04, 0x25, 0, 1, 0, 0],
    ];
    let mut all = Vec::new();
    for (code, flags) in codes.iter().zip([0u8, 16, 2, 3, 18].iter().cycle()) {
        let mut input = vec![*flags];
        input.extend([16; 16]);
        input.extend(2u32.to_le_bytes());
        input.extend([0x20; 6]);
        input.extend(*code);
        all.push(input);
    }
    all
}

/// For each call, its operations one after the other with different argument pages, by the guest
/// and by dom0. The numbers are those that [`crate::hypercall`] makes of bytes.
fn hypercall() -> Vec<Vec<u8>> {
    const PAGE: &[u8] = &[3];
    const SELF: &[u8] = &[6, 0];
    const NOTHING: &[u8] = &[0, 0];
    const ONE: &[u8] = &[0, 1];
    let frame = [4u8, 1];
    let contents: [&[&[u8]]; 6] = [
        &[ONE, &frame, &[2, 1, 0], ONE],
        // The address of an entry and what to put there.
        &[&[8, 1, 0x28, 0], &[7, 2, 5]],
        // A list of frames in the next page, how many, whose.
        &[&[2, 2, 0], ONE, NOTHING, SELF],
        &[SELF, NOTHING, ONE],
        &[&[6, 2], SELF, &[2, 3, 0], ONE],
        &[NOTHING, NOTHING, NOTHING],
    ];
    let rows = TABLE.iter().filter(|row| row.pv).count() as u8;
    let mut all = Vec::new();
    for row in 0..rows {
        for pointer_first in [false, true] {
            let mut input = vec![row];
            for number in 0..38u8 {
                let command = [0, number / 2];
                let args: [&[u8]; 4] = if pointer_first {
                    [PAGE, ONE, NOTHING, SELF]
                } else {
                    [&command, PAGE, ONE, NOTHING]
                };
                let words = contents[usize::from(number) % contents.len()];
                let mut block = vec![number & 1, 0, 2, row];
                let count = TABLE.iter().filter(|row| row.pv).nth(row.into());
                args.iter()
                    .take(count.map_or(0, |row| row.args))
                    .for_each(|arg| block.extend(*arg));
                block.push(words.len() as u8);
                for word in words {
                    block.push(0);
                    block.extend(*word);
                }
                // For the tools' calls: a version, a command, a domain.
                block.extend([1, number / 2, 1]);
                block.resize(BLOCK, 0);
                input.extend(block);
            }
            all.push(input);
        }
    }
    all
}
