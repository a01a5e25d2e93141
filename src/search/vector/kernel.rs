//! The two loops in which a search spends its time, each as fast as the machine at hand can do it.
//!
//! The instructions that a machine has are found out at run time; every form of a loop gives the same numbers.

/// How many sketches are compared at once.
pub(super) const BLOCK: usize = 64;

/// What the machine can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kernel {
    /// What every machine can.
    Plain,
    /// Counting bits in one instruction; sums of 16 products of 16 bits.
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Kernel {
    /// The best that this machine can.
    pub(super) fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("popcnt") {
            return Self::Avx2;
        }
        Self::Plain
    }

    /// In how many bits each of up to [`BLOCK`] sketches differs from the query's.
    #[inline]
    pub(super) fn distances(self, query: &[u64], sketches: &[u8], distances: &mut [u16; BLOCK]) {
        match self {
            Self::Plain => distances_plain(query, sketches, distances),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `best` found the instructions.
            Self::Avx2 => unsafe { x86::distances(query, sketches, distances) },
        }
    }

    /// The sum of the products of the query's numbers with codes.
    #[inline]
    pub(super) fn dot(self, query: &[i16], codes: &[u8]) -> i32 {
        match self {
            Self::Plain => dot_plain(query, codes),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `best` found the instructions.
            Self::Avx2 => unsafe { x86::dot(query, codes) },
        }
    }

    /// Begins to fetch bytes that are needed soon.
    #[inline]
    pub(super) fn prefetch(self, bytes: &[u8]) {
        #[cfg(target_arch = "x86_64")]
        if self == Self::Avx2 {
            x86::prefetch(bytes);
        }
        let _ = bytes;
    }

    /// The sum of the products of codes with codes.
    #[inline]
    pub(super) fn dot_codes(self, a: &[u8], b: &[u8]) -> i32 {
        match self {
            Self::Plain => dot_codes_plain(a, b),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `best` found the instructions.
            Self::Avx2 => unsafe { x86::dot_codes(a, b) },
        }
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "it is compiled anew for the instructions of each caller")]
fn distances_plain(query: &[u64], sketches: &[u8], distances: &mut [u16; BLOCK]) {
    // The usual sizes have a loop of their own, whose length the compiler knows.
    if let Ok(query) = <&[u64; 4]>::try_from(query) {
        distances_of(query, sketches, distances);
    } else if let Ok(query) = <&[u64; 6]>::try_from(query) {
        distances_of(query, sketches, distances);
    } else {
        for (distance, sketch) in distances.iter_mut().zip(sketches.chunks_exact(query.len().max(1) * 8)) {
            *distance = differing(query, sketch.as_chunks().0);
        }
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "it is compiled anew for the instructions of each caller")]
fn distances_of<const WORDS: usize>(query: &[u64; WORDS], sketches: &[u8], distances: &mut [u16; BLOCK]) {
    let sketches = sketches.as_chunks::<8>().0.as_chunks::<WORDS>().0;
    for (distance, sketch) in distances.iter_mut().zip(sketches) {
        *distance = differing(query, sketch);
    }
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "it is compiled anew for the instructions of each caller")]
#[expect(clippy::cast_possible_truncation, reason = "a vector has far fewer than 65,536 numbers")]
fn differing(query: &[u64], sketch: &[[u8; 8]]) -> u16 {
    let words = query.iter().zip(sketch);
    words.map(|(query, word)| (query ^ u64::from_le_bytes(*word)).count_ones()).sum::<u32>() as u16
}

fn dot_plain(query: &[i16], codes: &[u8]) -> i32 {
    query.iter().zip(codes).map(|(number, code)| i32::from(*number) * i32::from(code.cast_signed())).sum()
}

fn dot_codes_plain(a: &[u8], b: &[u8]) -> i32 {
    a.iter().zip(b).map(|(a, b)| i32::from(a.cast_signed()) * i32::from(b.cast_signed())).sum()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    //! The loops for processors with AVX2.
    #![expect(
        clippy::cast_ptr_alignment,
        reason = "the loads that are given these pointers ask for no alignment"
    )]

    use std::arch::x86_64::{
        __m128i, __m256i, _MM_HINT_T0, _mm_add_epi32, _mm_cvtsi128_si32, _mm_loadu_si128, _mm_prefetch,
        _mm_shuffle_epi32, _mm256_add_epi32, _mm256_castsi256_si128, _mm256_cvtepi8_epi16,
        _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_setzero_si256,
    };

    use super::{BLOCK, distances_plain, dot_codes_plain, dot_plain};

    #[target_feature(enable = "popcnt")]
    pub(super) fn distances(query: &[u64], sketches: &[u8], distances: &mut [u16; BLOCK]) {
        distances_plain(query, sketches, distances);
    }

    pub(super) fn prefetch(bytes: &[u8]) {
        for line in bytes.chunks(64) {
            // SAFETY: it only tells the processor; every x86-64 has the instruction.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast::<i8>()) };
        }
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn dot(query: &[i16], codes: &[u8]) -> i32 {
        let (queries, query_rest) = query.as_chunks::<16>();
        let (chunks, rest) = codes.as_chunks::<16>();
        let mut sums = _mm256_setzero_si256();
        for (query, codes) in queries.iter().zip(chunks) {
            // SAFETY: 16 numbers of 16 bits are 32 bytes; the load asks for no alignment.
            let query = unsafe { _mm256_loadu_si256(std::ptr::from_ref(query).cast::<__m256i>()) };
            sums = _mm256_add_epi32(sums, _mm256_madd_epi16(query, widened(codes)));
        }
        sum(sums) + dot_plain(query_rest, rest)
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn dot_codes(a: &[u8], b: &[u8]) -> i32 {
        let (a_chunks, a_rest) = a.as_chunks::<16>();
        let (b_chunks, b_rest) = b.as_chunks::<16>();
        let mut sums = _mm256_setzero_si256();
        for (a, b) in a_chunks.iter().zip(b_chunks) {
            sums = _mm256_add_epi32(sums, _mm256_madd_epi16(widened(a), widened(b)));
        }
        sum(sums) + dot_codes_plain(a_rest, b_rest)
    }

    #[target_feature(enable = "avx2")]
    fn widened(codes: &[u8; 16]) -> __m256i {
        // SAFETY: 16 codes are 16 bytes; the load asks for no alignment.
        _mm256_cvtepi8_epi16(unsafe { _mm_loadu_si128(std::ptr::from_ref(codes).cast::<__m128i>()) })
    }

    #[target_feature(enable = "avx2")]
    fn sum(sums: __m256i) -> i32 {
        let four = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums));
        let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b_01_00_11_10>(four));
        _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<0b_10_11_00_01>(two)))
    }
}
