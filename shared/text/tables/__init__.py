"""Tables of text: file formats, rows as they are written, values of cells."""
