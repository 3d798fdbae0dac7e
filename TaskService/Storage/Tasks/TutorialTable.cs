using System.Data;
using System.Data.Common;
using System.Globalization;
using Microsoft.Data.Sqlite;
using TaskService.Domain;
using TaskService.Storage.Sql;
using TaskService.Storage.Sqlite;

namespace TaskService.Storage.Tasks;

/// <summary>
/// Imports the table of the tutorial, which has no key, and times in seconds. Its tasks move into the table of this
/// service; rows that break a rule stay, in a table that is renamed. A backup of the file is made first.
/// </summary>
internal sealed class TutorialTable(SqliteSession session, string path, SqliteBackup backup, ILogger logger)
{
    private const string Name = "task_entries";
    private const string Kept = "task_entries_kept";
    private const int PageItems = 1_000;

    // Another table may have the name, but hardly all of these columns.
    private const string IsThere =
        $"SELECT count(*) FROM pragma_table_info('{Name}')"
        + " WHERE name IN ('id', 'title', 'description', 'priority', 'dueDate', 'completed')";

    private const string SelectPage =
        $"SELECT rowid, id, title, description, priority, dueDate, completed FROM {Name}"
        + " WHERE rowid < @before ORDER BY rowid DESC LIMIT @limit";

    private const string DeleteRow = $"DELETE FROM {Name} WHERE rowid = @rowid";

    /// <summary>Imports the table; does nothing when there is none.</summary>
    /// <exception cref="SqliteException">The import failed; nothing was changed.</exception>
    /// <exception cref="StorageException">No backup can be made; nothing was changed.</exception>
    public void TakeOver()
    {
        if (!Exists(session))
        {
            return;
        }
        session.Run("BEGIN IMMEDIATE");
        try
        {
            // Another process may have imported it before the lock was acquired.
            if (Exists(session))
            {
                backup.Make("tutorial_import");
                MoveAll();
            }
            session.Run("COMMIT");
        }
        catch
        {
            session.EndTransaction();
            throw;
        }
    }

    /// <summary>Whether the file has such a table.</summary>
    public static bool Exists(SqliteSession session) => session.Scalar(IsThere) is 6L;

    private void MoveAll()
    {
        var (moved, kept) = (0, 0);
        // In descending order: of several rows with one id, the last is imported.
        for (var page = ReadPage(long.MaxValue); page.Count > 0; page = ReadPage(page[^1].RowId))
        {
            foreach (var row in page)
            {
                if (Move(row) is { } problem)
                {
                    kept++;
                    logger.LogWarning(
                        "Row {Row} of {Table}, id {Id}, was not taken over: {Reason}",
                        row.RowId,
                        Name,
                        row.Id,
                        problem);
                }
                else
                {
                    moved++;
                }
            }
        }
        if (kept == 0)
        {
            session.Run($"DROP TABLE {Name}");
            logger.LogInformation("Took over {Count} tasks of the tutorial in {Path}", moved, path);
            return;
        }
        var aside = FreeName();
        session.Run($"ALTER TABLE {Name} RENAME TO {aside}");
        logger.LogWarning(
            "Took over {Count} tasks of the tutorial in {Path}; {Kept} rows stay aside in the table {Table}",
            moved,
            path,
            kept,
            aside);
    }

    /// <returns>The reason why the row stays; null when it was moved.</returns>
    private string? Move(Row row)
    {
        if (row.ToTask(out var problem) is not { } task)
        {
            return problem;
        }
        if (session.Execute(TaskRow.Entity.Sql.Insert, command => TaskRow.Entity.Sql.SetItem(command, task)) == 0)
        {
            return "a task with this id is there already";
        }
        session.Execute(DeleteRow, command => ((SqlParameters)command).Set("@rowid", DbType.Int64, row.RowId));
        return null;
    }

    private List<Row> ReadPage(long before)
    {
        var rows = new List<Row>(PageItems);
        session.Query(
            SelectPage,
            command =>
            {
                SqlParameters parameters = command;
                parameters.Set("@before", DbType.Int64, before);
                parameters.Set("@limit", DbType.Int32, PageItems);
            },
            reader =>
            {
                rows.Add(Row.Read(reader));
                return true;
            });
        return rows;
    }

    private string FreeName()
    {
        var name = Kept;
        for (var number = 2; session.Scalar($"SELECT 1 FROM sqlite_schema WHERE name = '{name}'") is not null; number++)
        {
            name = string.Create(CultureInfo.InvariantCulture, $"{Kept}_{number}");
        }
        return name;
    }

    /// <summary>A row with untyped values: a column of SQLite can hold a value of any type.</summary>
    private sealed record Row(
        long RowId, object Id, object Title, object Description, object Priority, object DueDate, object Completed)
    {
        public static Row Read(DbDataReader reader) =>
            new(reader.GetInt64(0), reader[1], reader[2], reader[3], reader[4], reader[5], reader[6]);

        /// <returns>Null, with the reason, when it breaks a rule.</returns>
        public Stored<TaskEntry>? ToTask(out string? problem)
        {
            var due = 0L;
            problem = Id is not string id || !IdGenerator.IsValid(id) ? "its id is not an id"
                : Title is not string ? "title is not text"
                : Description is not (string or DBNull) ? "description is not text"
                : Priority is not (string or DBNull) ? "priority is not text"
                : Completed is not (0L or 1L or DBNull) ? "completed is not 0 or 1"
                : DueDate is not DBNull && !TrySeconds(DueDate, out due) ? "due_date is not in the years 1 to 9999"
                : null;
            if (problem is not null)
            {
                return null;
            }
            var row = new TaskRow
            {
                Title = (string)Title,
                Description = Description as string,
                Priority = (Priority as string)?.ToLowerInvariant(),
                Completed = Completed is 1L,
                DueDateMicroseconds = DueDate is DBNull ? null : due,
            };
            return row.TryToDomain(out var task, out problem) ? new Stored<TaskEntry>((string)Id, task) : null;
        }

        private static bool TrySeconds(object value, out long microseconds)
        {
            microseconds = 0;
            return value is long or double
                && UnixSeconds.TryToMicroseconds(
                    Convert.ToDouble(value, CultureInfo.InvariantCulture), out microseconds);
        }
    }
}

/// <inheritdoc cref="TutorialTable"/>
internal sealed class TutorialImport : ISqliteImport
{
    public bool IsNeeded(SqliteSession session) => TutorialTable.Exists(session);

    public void Run(SqliteSession session, string path, SqliteBackup backup, ILogger logger) =>
        new TutorialTable(session, path, backup, logger).TakeOver();
}
