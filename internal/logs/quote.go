package logs

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"slices"

	"spoor"
	"spoor/internal/host"
)

// quoteBytes is how much of a line is quoted.
const quoteBytes = 1000

// Quote reads lines of a scan again, at most 1000 bytes of each. The result is
// parallel to places; it is "" where a line cannot be read. A compressed file is
// decompressed once; of a journal, what the scan read is quoted. The lines are as they were logged: anybody may have written
// them.
func Quote(root *host.Root, files []spoor.LogFile, places []spoor.LogPlace) []string {
	texts := make([]string, len(places))
	byFile := map[int32][]int{}
	for i, place := range places {
		if place.Line > 0 && place.File >= 0 && int(place.File) < len(files) && place.Offset >= 0 {
			byFile[place.File] = append(byFile[place.File], i)
		}
	}
	for number, wanted := range byFile {
		slices.SortFunc(wanted, func(a, b int) int { return int(min(max(places[a].Offset-places[b].Offset, -1), 1)) })
		if text := files[number].Text; text != nil {
			quoteAt(text, wanted, places, texts)
			continue
		}
		src, err := openSource(context.Background(), root, files[number].Path)
		if err != nil {
			continue
		}
		quoteFile(src, wanted, places, texts)
		src.Close()
	}
	return texts
}

// quoteFile quotes the wanted lines, which are in the order of the file.
func quoteFile(src *source, wanted []int, places []spoor.LogPlace, texts []string) {
	if src.seekable() {
		quoteAt(src.file, wanted, places, texts)
		return
	}
	reader, at := bufio.NewReaderSize(src, 64<<10), int64(0)
	for _, i := range wanted {
		n, err := io.CopyN(io.Discard, reader, places[i].Offset-at)
		at += n
		if err != nil {
			return
		}
		text, _ := reader.Peek(quoteBytes)
		texts[i] = quoted(text, places[i])
	}
}

// quoteAt quotes the wanted lines of a text that can be read anywhere.
func quoteAt(text io.ReaderAt, wanted []int, places []spoor.LogPlace, texts []string) {
	var buf [quoteBytes]byte
	for _, i := range wanted {
		n, _ := text.ReadAt(buf[:], places[i].Offset)
		texts[i] = quoted(buf[:n], places[i])
	}
}

// quoted cuts the text at the end of the line.
func quoted(text []byte, place spoor.LogPlace) string {
	if place.Length > 0 {
		text = text[:min(len(text), int(place.Length))]
	}
	if end := bytes.IndexByte(text, '\n'); end >= 0 {
		text = text[:end]
	}
	return string(bytes.TrimSuffix(text, []byte{'\r'}))
}
