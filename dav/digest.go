package dav

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"

	"varve/layers"
)

// sizes is how many bytes a sum of each algorithm the store verifies has.
var sizes = map[string]int{"sha-256": 32, "sha-512": 64, "sha": 20, "md5": 16, "crc32": 4, "adler32": 4}

// parseDigests reads what a client says its body hashes to: Content-MD5,
// Content-Digest and Repr-Digest (RFC 9530; a PUT's content is the whole
// representation, so the two are one), and ownCloud's OC-Checksum. Algorithms we
// do not know are passed over, a sum that cannot be one is refused.
func parseDigests(header http.Header) ([]layers.Digest, error) {
	var all []layers.Digest
	if sum := header.Get("Content-MD5"); sum != "" {
		d, err := base64Digest("md5", sum)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	for _, name := range []string{"Content-Digest", "Repr-Digest"} {
		for field := range strings.SplitSeq(strings.Join(header.Values(name), ","), ",") {
			field, _, _ = strings.Cut(strings.TrimSpace(field), ";")
			algorithm, sum, ok := strings.Cut(field, "=")
			if algorithm = strings.ToLower(algorithm); sizes[algorithm] == 0 {
				continue
			}
			if !ok || len(sum) < 2 || sum[0] != ':' || sum[len(sum)-1] != ':' {
				return nil, bad(name + " is no list of algorithm=:base64:")
			}
			d, err := base64Digest(algorithm, sum[1:len(sum)-1])
			if err != nil {
				return nil, err
			}
			all = append(all, d)
		}
	}
	// Several checksums stand in one header, separated by blanks.
	for field := range strings.FieldsSeq(header.Get("OC-Checksum")) {
		algorithm, sum, _ := strings.Cut(field, ":")
		algorithm, known := ocAlgorithms[strings.ToLower(algorithm)]
		if !known {
			continue
		}
		b, err := hex.DecodeString(sum)
		if err != nil || len(b) != sizes[algorithm] {
			return nil, bad("OC-Checksum is no algorithm:hex")
		}
		all = append(all, layers.Digest{Algorithm: algorithm, Sum: b})
	}
	return all, nil
}

// ocAlgorithms is what ownCloud calls them.
var ocAlgorithms = map[string]string{
	"sha1": "sha", "md5": "md5", "adler32": "adler32", "sha256": "sha-256", "sha512": "sha-512", "crc32": "crc32",
}

// base64Digest reads a sum in base64.
func base64Digest(algorithm, sum string) (layers.Digest, error) {
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(sum))
	if err != nil || len(b) != sizes[algorithm] {
		return layers.Digest{}, bad("a digest header holds no base64 sum of its algorithm's length")
	}
	return layers.Digest{Algorithm: algorithm, Sum: b}, nil
}
