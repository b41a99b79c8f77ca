//! Content codings, RFC 9110 section 8.4: which one the other side wants, and bytes in each, compressed once,
//! when somebody first asks for them.

use std::cmp::Reverse;
use std::io::Write as _;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, header};
use tokio::sync::OnceCell;

/// A way to write bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Zstd,
    Brotli,
}

impl Coding {
    /// Those that compress, in the order of our liking: of 64 KB brotli makes 3% less than zstd, in three times the time, and gzip
    /// about as much as zstd in more time.
    pub(super) const ALL: [Self; 3] = [Self::Zstd, Self::Brotli, Self::Gzip];

    /// The coding that the request likes best; among equals, the first that we do. The order is fixed, and does not ask which is the
    /// smallest of these bytes, so that a coding need not be made to be compared.
    pub(super) fn choose(request: &HeaderMap) -> Self {
        let accepted = Accepted::of(request);
        let all = Self::ALL.into_iter().chain([Self::Identity]);
        let taken = all.map(|coding| (accepted.quality(coding), coding)).filter(|(quality, _)| *quality > 0);
        // Whoever takes nothing at all gets the bytes as they are (section 12.5.3).
        taken.min_by_key(|(quality, _)| Reverse(*quality)).map_or(Self::Identity, |(_, coding)| coding)
    }

    /// Compresses; `None` where that makes nothing smaller. Takes milliseconds of processor time.
    fn write(self, bytes: &[u8]) -> Option<Bytes> {
        let written = match self {
            Self::Identity => return None,
            Self::Gzip => gzip(bytes),
            Self::Zstd => zstd(bytes),
            Self::Brotli => brotli(bytes),
        };
        // Writing to memory cannot fail; where a coding does, there is one less.
        let coded = written.ok().filter(|coded| coded.len() < bytes.len())?;
        // Without the room that a coding asks for at first: as much as the bytes themselves.
        Some(coded.into_boxed_slice().into())
    }

    /// Its name in headers and, behind a hyphen, at the end of entity tags, as web servers mark them.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Brotli => "br",
        }
    }

    pub(super) fn header(self) -> HeaderValue {
        HeaderValue::from_static(self.name())
    }
}

/// The same bytes in every coding that somebody asked for.
#[derive(Debug)]
pub(super) struct Coded {
    identity: Bytes,
    /// In the order of [`Coding::ALL`]; `None` where a coding does not make the bytes smaller.
    others: [OnceCell<Option<Bytes>>; 3],
}

/// Levels that compress a feed of 64 KB in one or two milliseconds each, within a tenth of what the highest would reach.
const GZIP: flate2::Compression = flate2::Compression::new(6);
const ZSTD: i32 = 6;
/// The hash table of zstd in bits. It is cleared first, and the default for a feed of 250 KB is 2 MB, which costs more than the text
/// of a short one; this makes less than a hundredth more of it, in two thirds of the time.
const ZSTD_TABLE: u32 = 16;
const BROTLI: i32 = 5;
/// The window of brotli in bits: as much as the largest feed has by default. It is cleared first, and the default of 22 is 4 MB.
const BROTLI_WINDOW: i32 = 19;

impl Coded {
    /// Compresses nothing yet: most documents are asked for in one coding, many in none before they change again.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { identity: bytes.into(), others: Default::default() }
    }

    /// The bytes as they are.
    pub(super) fn identity(&self) -> &Bytes {
        &self.identity
    }

    /// The bytes in a coding, or as they are where it does not make them smaller. `None` when nobody asked for it before.
    pub(super) fn made(&self, coding: Coding) -> Option<(Coding, &Bytes)> {
        let Some(cell) = self.cell(coding) else { return Some((Coding::Identity, &self.identity)) };
        let made = cell.get()?;
        Some(made.as_ref().map_or((Coding::Identity, &self.identity), |bytes| (coding, bytes)))
    }

    /// Compresses where the caller stands: for bytes that were just written for somebody who takes this coding.
    pub(super) fn with(self, coding: Coding) -> Self {
        if let Some(cell) = self.cell(coding) {
            // Nobody else has the bytes yet.
            let _ = cell.set(coding.write(&self.identity));
        }
        self
    }

    /// Compresses, once, however many ask, and on a thread where it holds up nobody.
    pub(super) async fn make(&self, coding: Coding) {
        let Some(cell) = self.cell(coding) else { return };
        let compress = || async {
            let bytes = self.identity.clone();
            // A process that is stopping compresses no more, and the bytes as they are are right too.
            tokio::task::spawn_blocking(move || coding.write(&bytes)).await.unwrap_or_default()
        };
        cell.get_or_init(compress).await;
    }

    fn cell(&self, coding: Coding) -> Option<&OnceCell<Option<Bytes>>> {
        Coding::ALL.into_iter().zip(&self.others).find(|(other, _)| *other == coding).map(|(_, cell)| cell)
    }

    /// How many bytes are held in memory.
    pub(super) fn size(&self) -> usize {
        let others = self.others.iter().filter_map(|cell| cell.get()?.as_ref());
        self.identity.len() + others.map(Bytes::len).sum::<usize>()
    }
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::with_capacity(bytes.len() / 3), GZIP);
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn zstd(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(ZSTD)?;
    compressor.set_parameter(zstd::zstd_safe::CParameter::HashLog(ZSTD_TABLE))?;
    compressor.compress(bytes)
}

fn brotli(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: BROTLI,
        lgwin: BROTLI_WINDOW,
        size_hint: bytes.len(),
        ..brotli::enc::BrotliEncoderParams::default()
    };
    let mut coded = Vec::with_capacity(bytes.len() / 3);
    brotli::BrotliCompress(&mut &bytes[..], &mut coded, &parameters)?;
    Ok(coded)
}

/// What `Accept-Encoding` says of each coding, in thousandths (section 12.5.3).
struct Accepted {
    gzip: u16,
    zstd: u16,
    brotli: u16,
    identity: u16,
}

impl Accepted {
    fn of(request: &HeaderMap) -> Self {
        let (mut gzip, mut zstd, mut brotli, mut identity, mut any) = (None, None, None, None, None);
        for list in request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()) {
            for item in list.split(',') {
                let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
                let name = name.trim();
                let slot = match name.len() {
                    4 if name.eq_ignore_ascii_case("gzip") => &mut gzip,
                    6 if name.eq_ignore_ascii_case("x-gzip") => &mut gzip,
                    4 if name.eq_ignore_ascii_case("zstd") => &mut zstd,
                    2 if name.eq_ignore_ascii_case("br") => &mut brotli,
                    8 if name.eq_ignore_ascii_case("identity") => &mut identity,
                    1 if name == "*" => &mut any,
                    _ => continue,
                };
                *slot = Some(quality(parameters));
            }
        }
        let other = any.unwrap_or(0);
        Self {
            gzip: gzip.unwrap_or(other),
            zstd: zstd.unwrap_or(other),
            brotli: brotli.unwrap_or(other),
            // Taken unless it is refused by name or by `*`; wanted least unless it is wanted by name.
            identity: identity.unwrap_or(if any == Some(0) { 0 } else { 1 }),
        }
    }

    fn quality(&self, coding: Coding) -> u16 {
        match coding {
            Coding::Identity => self.identity,
            Coding::Gzip => self.gzip,
            Coding::Zstd => self.zstd,
            Coding::Brotli => self.brotli,
        }
    }
}

/// `q=0.5` as 500; what is not said or not readable is 1.
fn quality(parameters: &str) -> u16 {
    let weight = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse::<f32>().ok())?
    });
    weight.map_or(1000, |weight| (weight.clamp(0.0, 1.0) * 1000.0) as u16)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn text() -> Vec<u8> {
        "A line of a feed that comes again and again. ".repeat(100).into_bytes()
    }

    #[tokio::test]
    async fn every_coding_is_made_when_it_is_asked_for_and_reads_back_as_the_same_bytes() {
        let coded = Coded::new(text());
        let mut size = text().len();
        for coding in Coding::ALL {
            assert!(coded.made(coding).is_none(), "{coding:?}");
            assert_eq!(coded.size(), size);
            coded.make(coding).await;
            let (made, bytes) = coded.made(coding).unwrap();
            assert_eq!(made, coding);
            let mut read = Vec::new();
            match coding {
                Coding::Identity => unreachable!(),
                Coding::Gzip => flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut read).map(|_| ()).unwrap(),
                Coding::Zstd => read = zstd::bulk::decompress(bytes, 1 << 20).unwrap(),
                Coding::Brotli => brotli::BrotliDecompress(&mut &bytes[..], &mut read).unwrap(),
            }
            assert_eq!(read, text(), "{coding:?}");
            size += bytes.len();
        }
        assert_eq!(coded.size(), size);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_who_ask_at_once_share_one_compression() {
        let coded = std::sync::Arc::new(Coded::new(text().repeat(100)));
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let coded = std::sync::Arc::clone(&coded);
            asking.spawn(async move {
                coded.make(Coding::Brotli).await;
                coded.made(Coding::Brotli).map(|(_, bytes)| bytes.as_ptr() as usize)
            });
        }
        let mut places = asking.join_all().await;
        places.dedup();
        assert_eq!(places.len(), 1);
        assert!(places[0].is_some());
    }

    #[tokio::test]
    async fn what_does_not_get_smaller_stays_as_it_is() {
        let coded = Coded::new(b"x".to_vec());
        coded.make(Coding::Gzip).await;
        assert_eq!(coded.made(Coding::Gzip), Some((Coding::Identity, &Bytes::from_static(b"x"))));
        assert_eq!(coded.size(), 1);
    }

    #[test]
    fn the_other_side_gets_what_it_takes() {
        for (header, expected) in [
            (None, Coding::Identity),
            (Some(""), Coding::Identity),
            (Some("gzip"), Coding::Gzip),
            (Some("GZIP, deflate"), Coding::Gzip),
            (Some("x-gzip"), Coding::Gzip),
            (Some("gzip, deflate, br, zstd"), Coding::Zstd),
            (Some("gzip, deflate, br"), Coding::Brotli),
            (Some("gzip, br, zstd;q=0.9"), Coding::Brotli),
            (Some("br;q=0.5, gzip;q=0.8, *;q=0.1"), Coding::Gzip),
            (Some("*"), Coding::Zstd),
            (Some("*;q=0"), Coding::Identity),
            (Some("zstd;q=0, *"), Coding::Brotli),
            (Some("identity, gzip;q=0.5"), Coding::Identity),
            (Some("identity;q=0"), Coding::Identity),
            (Some("deflate"), Coding::Identity),
            (Some("gzip;q=nonsense"), Coding::Gzip),
            (Some(",,;=q"), Coding::Identity),
        ] {
            let mut request = HeaderMap::new();
            if let Some(value) = header {
                request.insert(header::ACCEPT_ENCODING, value.parse().unwrap());
            }
            assert_eq!(Coding::choose(&request), expected, "{header:?}");
        }
    }
}
