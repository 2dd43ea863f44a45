package dav

import "time"

// Dates are a third of a listing's cost when time.AppendFormat writes them, and
// they have two shapes only.

// appendHTTPTime writes t as http.TimeFormat does.
func appendHTTPTime(b []byte, t time.Time) []byte {
	const (
		days   = "SunMonTueWedThuFriSat"
		months = "JanFebMarAprMayJunJulAugSepOctNovDec"
	)
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	weekday, name := 3*int(t.Weekday()), 3*int(month-1)
	b = append(b, days[weekday:weekday+3]...)
	b = append(b, ", "...)
	b = append(appendDigits(b, day, 2), ' ')
	b = append(append(b, months[name:name+3]...), ' ')
	b = append(appendDigits(b, year, 4), ' ')
	b = append(appendDigits(b, hour, 2), ':')
	b = append(appendDigits(b, minute, 2), ':')
	return append(appendDigits(b, second, 2), " GMT"...)
}

// appendRFC3339 writes t in UTC and without a fraction, which Explorer refuses.
func appendRFC3339(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	b = append(appendDigits(b, year, 4), '-')
	b = append(appendDigits(b, int(month), 2), '-')
	b = append(appendDigits(b, day, 2), 'T')
	b = append(appendDigits(b, hour, 2), ':')
	b = append(appendDigits(b, minute, 2), ':')
	return append(appendDigits(b, second, 2), 'Z')
}

// appendDigits writes the last width decimal digits of n.
func appendDigits(b []byte, n, width int) []byte {
	for p := width; p > 0; p-- {
		b = append(b, '0')
	}
	for i := len(b) - 1; i >= len(b)-width; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}
