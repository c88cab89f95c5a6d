//! Kernel images: the loader's parsers and decompressors.

use hypervisor::loader::{self, Image, LoadError, Notes, Placement, bzimage, unpack};
use ruzstd::decoding::FrameDecoder;

/// The most that anything may unpack to.
const LIMIT: usize = 1 << 20;

/// What RFC 8878 says is damaged and ruzstd takes.
const STRICTER: [&str; 4] = [
    "a Huffman stream has the wrong length",
    "the frame's size is not what its header says",
    "reserved frame flag",
    "reserved sequence flag",
];

/// An ELF file.
pub fn elf(data: &[u8]) {
    let Ok(image) = Image::parse(data) else {
        return;
    };
    assert!(image.start() < image.end());
    for segment in image.segments() {
        assert!(segment.data.len() as u64 <= segment.memsz);
        assert!(segment.paddr >= image.start());
        assert!(segment.paddr + segment.memsz <= image.end());
        let inside = data.as_ptr_range();
        assert!(inside.contains(&segment.data.as_ptr()) || segment.data.is_empty());
    }
    let notes = match Notes::parse(&image) {
        Ok(Some(notes)) => notes,
        Ok(None) => Notes::default(),
        Err(_) => return,
    };
    if let Ok(place) = Placement::new(&image, &notes) {
        assert!(place.start < place.end && (place.start..place.end).contains(&place.entry));
        // What the builder copies lies inside.
        for segment in image.segments() {
            let at = place.vaddr(segment.paddr);
            assert!(at >= place.start && at + segment.memsz <= place.end);
        }
    }
}

/// A bzImage, or what may stand in its place.
pub fn bzimage(data: &[u8]) {
    let Ok(payload) = bzimage::payload(data) else {
        return;
    };
    assert!(payload.len() <= data.len());
    if let Ok(kernel) = loader::kernel(data, LIMIT) {
        assert!(kernel.len() <= LIMIT || kernel.len() == payload.len());
        elf(&kernel);
    }
}

/// A compressed payload with its size behind it.
pub fn unpack(data: &[u8]) {
    match unpack::to_bytes(data, LIMIT) {
        Ok(out) => assert_eq!(unpack::size(data), Ok(out.len())),
        Err(LoadError::TooLarge { size, limit }) => assert!(size > limit),
        Err(_) => {}
    }
    // Whatever size was stated, it is the memory that counts.
    for room in [0, 5000] {
        let mut out = vec![0x5a; room + 1];
        let _ = unpack::into_slice(data, &mut out[..room]);
        assert_eq!(out[room], 0x5a);
    }
}

/// Zstandard frames: what ruzstd decodes, ours does too, and to the same bytes.
pub fn zstd(data: &[u8]) {
    let mut payload = data.to_vec();
    payload.extend([0; 4]);
    let mut theirs = vec![0; LIMIT];
    match FrameDecoder::new().decode_all(data, &mut theirs) {
        // Without a frame that is known as Zstandard's, nobody calls the decoder.
        Ok(length) if unpack::Format::of(data) == Ok(unpack::Format::Zstd) => {
            let mut ours = vec![0; length];
            match unpack::into_slice(&payload, &mut ours) {
                Ok(()) => assert!(ours == theirs[..length], "decoded to other bytes"),
                Err(LoadError::Corrupt(_, what)) if STRICTER.contains(&what) => {}
                Err(why) => panic!("refused: {why}"),
            }
        }
        _ => {
            let mut ours = vec![0; 4096];
            let _ = unpack::into_slice(&payload, &mut ours);
        }
    }
}
