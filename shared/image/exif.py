"""EXIF orientation inside the graph: TensorFlow has no op for it.

A camera stores the pixels as the sensor saw them and writes into the EXIF block how to turn
them. The block is a small TIFF file; JPEG keeps it in an APP1 segment, PNG in an `eXIf` chunk
and WebP in an `EXIF` chunk. Every function here is a graph function of raw file bytes, so a
SavedModel turns images as training does. Damaged metadata never fails: it means "upright".

Reference: [CIPA DC-008, Exif 3.0](https://www.cipa.jp/std/documents/download_e.html?DC-008-Translation-2023-E)
"""

import tensorflow as tf

UPRIGHT = 1
ORIENTATION_TAG = 0x0112
LONG_TYPE = 4
EXIF_HEADER = b"Exif\x00\x00"


def jpeg_orientation(image_bytes):
    """Finds the orientation in a JPEG file.

    Args:
        image_bytes: string scalar tensor. A JPEG file.

    Returns:
        int32 scalar tensor, 1 (upright) to 8.
    """
    return tf.cond(is_plain_jpeg(image_bytes), lambda: UPRIGHT, lambda: _walk_jpeg(image_bytes))


def is_plain_jpeg(image_bytes):
    """Whether a JPEG has no metadata: a JFIF head of 20 bytes, then the quantisation tables.

    Most files of the web are like this. One look spares them the walk over the segments.
    """
    start = substring(image_bytes, 0, 22)
    return (substring(start, 2, 4) == b"\xff\xe0\x00\x10") & (
        substring(start, 20, 2) == b"\xff\xdb"
    )


def png_orientation(image_bytes):
    """Finds the orientation in the chunks before the pixels of a PNG file.

    Args:
        image_bytes: string scalar tensor. A PNG file.

    Returns:
        int32 scalar tensor, 1 (upright) to 8.
    """
    start, length = _find_chunk(
        image_bytes, 8, name=b"eXIf", last=b"IDAT", little_endian=False, name_first=False
    )
    return _orientation_at(image_bytes, start, length)


def webp_orientation(image_bytes):
    """Finds the orientation in a WebP file.

    Args:
        image_bytes: string scalar tensor. A WebP file.

    Returns:
        int32 scalar tensor, 1 (upright) to 8.
    """

    def walk_chunks():
        start, length = _find_chunk(
            image_bytes, 12, name=b"EXIF", last=b"", little_endian=True, name_first=True
        )
        return _orientation_at(image_bytes, start, length)

    # Only the extended format (VP8X) has room for metadata.
    return tf.cond(substring(image_bytes, 12, 4) == b"VP8X", walk_chunks, lambda: UPRIGHT)


def tiff_orientation(block):
    """Reads the orientation from an EXIF block.

    Args:
        block: string scalar tensor. The block from its TIFF header on, of any content.

    Returns:
        int32 scalar tensor, 1 (upright) to 8; 1 where the block has no valid orientation.
    """
    byte_order = substring(block, 0, 2)
    is_little = byte_order == b"II"  # against "MM", big-endian
    offset = _read(substring(block, 4, 4), tf.int32, 1, is_little)[0]
    # A nonsensical offset or number of entries reads zeros, which hold no orientation.
    directory = substring(block, tf.maximum(offset, 0), 2 + 12 * 65535)
    num_entries = tf.maximum(_read(directory, tf.uint16, 1, is_little)[0], 1)
    # An entry is tag, type, count (4 bytes) and value (4 bytes): six 16-bit words.
    entries = _read(
        substring(directory, 2, 12 * num_entries), tf.uint16, 6 * num_entries, is_little
    )
    entries = tf.reshape(entries, (-1, 6))
    entry = entries[tf.argmax(tf.equal(entries[:, 0], ORIENTATION_TAG))]
    is_low_word_last = (entry[1] == LONG_TYPE) & ~is_little
    value = tf.where(is_low_word_last, entry[5], entry[4])
    is_valid = (entry[0] == ORIENTATION_TAG) & (value >= 1) & (value <= 8)
    return tf.where(is_valid & (is_little | (byte_order == b"MM")), value, UPRIGHT)


def apply_orientation(image, orientation):
    """Turns the stored pixels upright.

    Args:
        image: tensor (H, W, C) of any dtype.
        orientation: int32 scalar tensor, 1 to 8 as in EXIF.

    Returns:
        Tensor (H, W, C), or (W, H, C) for the orientations 5 to 8.
    """

    def turn():
        transposed = tf.transpose(image, tf.where(orientation >= 5, [1, 0, 2], [0, 1, 2]))
        upside_down = (orientation == 3) | (orientation == 4) | (orientation >= 7)
        mirrored = _is_one_of(orientation, (2, 3, 6, 7))
        return tf.raw_ops.Reverse(
            tensor=transposed, dims=tf.stack([upside_down, mirrored, tf.constant(False)])
        )

    return tf.cond(orientation > UPRIGHT, turn, lambda: image)


def _walk_jpeg(image_bytes):
    """Follows the APPn and comment segments (0xFFE0 to 0xFFEF, 0xFFFE) to the EXIF one.

    The standard puts them before all else, so the walk ends at the first other marker.
    """

    def at_other_segment(_, marker, length, is_exif):
        return ~is_exif & (((marker >= 0xFFE0) & (marker <= 0xFFEF)) | (marker == 0xFFFE))

    def next_segment(position, _, length, is_exif):
        return _jpeg_segment(image_bytes, position + 2 + length)

    position, _, length, is_exif = tf.while_loop(
        at_other_segment, next_segment, _jpeg_segment(image_bytes, 2)
    )
    return tf.cond(
        is_exif,
        lambda: tiff_orientation(substring(image_bytes, position + 10, length - 8)),
        lambda: UPRIGHT,
    )


def _jpeg_segment(image_bytes, position):
    """The segment at `position`: (position, marker, length, is EXIF); marker 0 past the end."""
    head = substring(image_bytes, position, 10)
    words = tf.io.decode_raw(head, tf.uint16, little_endian=False, fixed_length=4)
    marker, length = tf.unstack(tf.cast(words, tf.int32))
    is_exif = (marker == 0xFFE1) & (substring(head, 4, 6) == EXIF_HEADER)
    return position, marker, length, is_exif


def _find_chunk(image_bytes, position, name, last, little_endian, name_first):
    """Walks chunks of (length, name) headers; returns start and length, or (-1, 0)."""
    size = tf.strings.length(image_bytes)
    name_at, length_at = (0, 4) if name_first else (4, 0)
    between = 0 if name_first else 4  # PNG closes a chunk with a checksum.

    def searching(position, start, length):
        return (position >= 0) & (position + 8 <= size)

    def next_chunk(position, start, length):
        chunk = substring(image_bytes, position + name_at, 4)
        field = substring(image_bytes, position + length_at, 4)
        length = tf.io.decode_raw(field, tf.int32, little_endian, fixed_length=4)[0]
        length = tf.clip_by_value(length, 0, size)
        is_found = chunk == name
        end = position + 8 + length + between
        end += (length % 2) if name_first else 0  # RIFF pads to even lengths.
        done = is_found | (chunk == last)
        return tf.where(done, -1, end), tf.where(is_found, position + 8, -1), length

    _, start, length = tf.while_loop(searching, next_chunk, (position, -1, 0))
    return start, length


def _orientation_at(image_bytes, start, length):
    def parse():
        block = substring(image_bytes, start, length)
        # Some writers keep the JPEG prefix.
        skip = tf.where(substring(block, 0, 6) == EXIF_HEADER, 6, 0)
        return tiff_orientation(substring(block, skip, length))

    return tf.cond(start >= 0, parse, lambda: UPRIGHT)


def _read(text, dtype, count, is_little):
    """Reads `count` integers, zeros past the end, as int32; `is_little` may be a tensor."""
    little, big = (
        tf.io.decode_raw(text, dtype, little_endian, fixed_length=dtype.size * count)
        for little_endian in (True, False)
    )
    return tf.cast(tf.where(is_little, little, big), tf.int32)


def substring(text, position, length):
    """`tf.strings.substr` that ends with the text instead of failing past its end.

    Args:
        text: string scalar tensor.
        position: int or int32 scalar tensor. Offset of the first byte.
        length: int or int32 scalar tensor. Bytes; fewer where the text ends.
    """
    position = tf.minimum(position, tf.strings.length(text))
    return tf.strings.substr(text, position, tf.maximum(length, 0))


def _is_one_of(value, candidates):
    return tf.reduce_any(value == tf.constant(candidates))
