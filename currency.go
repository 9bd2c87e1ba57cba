package hyperlocal

// Currency is an ISO 4217 alphabetic code in upper case, such as "GBP". Anything that came
// from outside goes through ParseCurrency; a plain conversion is not checked, and everything
// that takes a Currency checks it again.
type Currency string

// currencyTable has one five-byte record per currency, sorted: the code, the number of
// decimals of its minor unit, a blank. As a constant it costs nothing at start-up and nobody
// can change it.
//
// Source: ISO 4217 list one (SIX) up to amendment 180, which took BGN out on 2026-01-01. The
// entries of the list whose minor unit is "N.A." (metals, bond units, XDR, XSU, XUA, XTS,
// XXX) are left out: an amount in minor units of them means nothing.
//
// Add what ISO adds. Keep what ISO withdraws: orders already stored in it must stay readable.
const currencyTable = "" +
	"AED2 AFN2 ALL2 AMD2 AOA2 ARS2 AUD2 AWG2 AZN2 " +
	"BAM2 BBD2 BDT2 BHD3 BIF0 BMD2 BND2 BOB2 BOV2 BRL2 BSD2 BTN2 BWP2 BYN2 BZD2 " +
	"CAD2 CDF2 CHE2 CHF2 CHW2 CLF4 CLP0 CNY2 COP2 COU2 CRC2 CUP2 CVE2 CZK2 " +
	"DJF0 DKK2 DOP2 DZD2 " +
	"EGP2 ERN2 ETB2 EUR2 " +
	"FJD2 FKP2 " +
	"GBP2 GEL2 GHS2 GIP2 GMD2 GNF0 GTQ2 GYD2 " +
	"HKD2 HNL2 HTG2 HUF2 " +
	"IDR2 ILS2 INR2 IQD3 IRR2 ISK0 " +
	"JMD2 JOD3 JPY0 " +
	"KES2 KGS2 KHR2 KMF0 KPW2 KRW0 KWD3 KYD2 KZT2 " +
	"LAK2 LBP2 LKR2 LRD2 LSL2 LYD3 " +
	"MAD2 MDL2 MGA2 MKD2 MMK2 MNT2 MOP2 MRU2 MUR2 MVR2 MWK2 MXN2 MXV2 MYR2 MZN2 " +
	"NAD2 NGN2 NIO2 NOK2 NPR2 NZD2 " +
	"OMR3 " +
	"PAB2 PEN2 PGK2 PHP2 PKR2 PLN2 PYG0 " +
	"QAR2 " +
	"RON2 RSD2 RUB2 RWF0 " +
	"SAR2 SBD2 SCR2 SDG2 SEK2 SGD2 SHP2 SLE2 SOS2 SRD2 SSP2 STN2 SVC2 SYP2 SZL2 " +
	"THB2 TJS2 TMT2 TND3 TOP2 TRY2 TTD2 TWD2 TZS2 " +
	"UAH2 UGX0 USD2 USN2 UYI0 UYU2 UYW4 UZS2 " +
	"VED2 VES2 VND0 VUV0 " +
	"WST2 " +
	"XAD2 XAF0 XCD2 XCG2 XOF0 XPF0 " +
	"YER2 " +
	"ZAR2 ZMW2 ZWG2 "

const currencyRecord = len("GBP2 ")

// ParseCurrency returns the currency with that code. The match is exact: no lower case, no
// blanks, no numeric codes. Anything that is not an active ISO 4217 code with a minor unit is
// refused with code invalid, reason "money/invalid_currency". It does not keep code alive and
// does not allocate when it succeeds.
func ParseCurrency(code string) (Currency, error) {
	if at, ok := findCurrency(code); ok {
		return Currency(currencyTable[at : at+3]), nil
	}
	return "", invalidMoney("currency", "a currency is an active ISO 4217 code in upper case, such as GBP")
}

// Decimals returns how many decimals the minor unit has (2 for GBP, 0 for JPY, 3 for KWD, 4
// for CLF), or false for a currency that ParseCurrency would refuse.
func (c Currency) Decimals() (int, bool) {
	at, ok := findCurrency(string(c))
	if !ok {
		return 0, false
	}
	return int(currencyTable[at+3] - '0'), true
}

// Valid reports whether ParseCurrency would accept the code.
func (c Currency) Valid() bool {
	_, ok := findCurrency(string(c))
	return ok
}

// Currencies returns every valid currency, sorted by code. The slice is the caller's.
func Currencies() []Currency {
	all := make([]Currency, 0, len(currencyTable)/currencyRecord)
	for at := 0; at < len(currencyTable); at += currencyRecord {
		all = append(all, Currency(currencyTable[at:at+3]))
	}
	return all
}

// findCurrency returns the offset of the currency's record. It runs for every amount that is
// read from a store, so it compares the three letters as one number.
func findCurrency(code string) (int, bool) {
	if len(code) != 3 {
		return 0, false
	}
	wanted := letters(code)
	low, high := 0, len(currencyTable)/currencyRecord
	for low < high {
		middle := int(uint(low+high) >> 1)
		at := middle * currencyRecord
		switch found := letters(currencyTable[at:]); {
		case found == wanted:
			return at, true
		case found < wanted:
			low = middle + 1
		default:
			high = middle
		}
	}
	return 0, false
}

// letters orders like the first three bytes of text.
func letters(text string) uint32 {
	return uint32(text[0])<<16 | uint32(text[1])<<8 | uint32(text[2])
}
