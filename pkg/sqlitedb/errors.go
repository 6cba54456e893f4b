package sqlitedb

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	// ErrDamaged means that the file's content can no longer be read.
	ErrDamaged = errors.New("damaged")
	// ErrGone means that the file, or one of its side files, was removed or replaced.
	ErrGone = errors.New("removed or replaced")
)

// FileError ends the use of a database file. Nothing more is written to it.
type FileError struct {
	Path   string
	Kind   error  // ErrDamaged or ErrGone
	Detail string // what was found
	// Rescued is a file with the content of the removed one, if it could be saved.
	Rescued string
	Err     error // SQLite's, or nil
}

// Error names the file and what was found.
func (e *FileError) Error() string {
	verb := "is"
	if e.Kind == ErrGone {
		verb = "was"
	}
	text := fmt.Sprintf("the database %s %s %v: %s", e.Path, verb, e.Kind, e.Detail)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the kind, and SQLite's error if there is one.
func (e *FileError) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// judge replaces a SQLite error that makes the file unusable by a *FileError, and returns
// any other error unchanged.
func judge(path string, err error) error {
	var known *FileError
	var e *sqlite.Error
	if !errors.As(err, &e) || errors.As(err, &known) {
		return err
	}
	switch {
	case e.Code() == sqlite3.SQLITE_READONLY_DBMOVED:
		return &FileError{Path: path, Kind: ErrGone, Detail: "SQLite says", Err: err}
	case e.Code()&0xff == sqlite3.SQLITE_CORRUPT, e.Code()&0xff == sqlite3.SQLITE_NOTADB,
		e.Code() == sqlite3.SQLITE_IOERR_SHORT_READ, e.Code() == sqlite3.SQLITE_IOERR_CORRUPTFS, e.Code() == sqlite3.SQLITE_IOERR_DATA:
		return &FileError{Path: path, Kind: ErrDamaged, Detail: "SQLite says", Err: err}
	}
	return err
}

func isBusy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_BUSY
}
