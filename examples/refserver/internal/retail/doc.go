// Package retail reads a shop's sales export and plans how to run it through the SDK: it is
// the pure half of `refserver replay`. It opens no file and no database and starts no
// goroutine; the replay command calls it and carries the plan out.
//
// The smallest program that uses it:
//
//	file, err := retail.Read(r, retail.Options{Currency: "GBP"})
//	if err != nil {
//		return err // the file as a whole cannot be read
//	}
//	for _, bad := range file.Rejected {
//		fmt.Println(bad.Line, bad.Document, bad.Reason, bad.Text)
//	}
//	plan, err := retail.NewPlan(file)
//
// # What a file means
//
// A file is a table of rows; rows with the same document number are one document, wherever
// they stand, and a document's position is that of its first row.
//
// A document whose number does not start with "C" sells and writes off: its rows of positive
// quantity are the lines of one order, its rows of negative quantity are write-offs. Either
// kind may be missing. A line may be free, and so may a whole order.
//
// A document whose number starts with "C" gives money back, row by row: the row's own
// quantity times the row's own price. A row is matched to orders of the same customer that
// stand earlier in the file and hold exactly its code, the newest order first, up to what has
// not come back yet; the money of a match is bounded by what is left refundable of that order.
// What is not matched, what lies above the bound and everything a guest gets back is a credit
// note that belongs to no order and moves no stock.
//
// Goods are the codes that start with five digits. Everything else (postage, vouchers, fees)
// is sold and credited like goods but never stocked.
//
// The columns of a file are described at [Read], the matching at [NewPlan]. The choices that
// the data leave open are written down where they are made.
//
// # What it never does
//
// It never guesses what was sold: a row whose meaning is not certain is reported in
// [File.Rejected] with its line and a stable reason, and the rest of its document goes on
// without it. A date or a description that cannot be kept as it is changes no money and no
// stock, so it costs no row: [File.Notes] says what became of it.
package retail
