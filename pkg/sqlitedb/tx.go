package sqlitedb

import "database/sql"

// Tx is the transaction of a function that was given to [DB.Write].
type Tx = sql.Tx
