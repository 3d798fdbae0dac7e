using System.Data;
using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using TaskService.Domain;

namespace TaskService.Storage.Sql;

/// <summary>
/// Statements on the table of tasks, in SQL that every engine supports, and the mapping of tasks to and from rows.
/// </summary>
internal static class TaskSql
{
    /// <summary>Above every id: the start of a descending list.</summary>
    public const string AboveAllIds = "~";

    private static readonly string Names = string.Join(", ", TaskRow.Columns.Select(column => column.Name));

    public static string Insert { get; } =
        $"INSERT INTO tasks (id, {Names}) VALUES (@id, {string.Join(", ", TaskRow.Columns.Select(ParameterOf))})"
        + " ON CONFLICT (id) DO NOTHING";

    /// <summary>As <see cref="Insert"/>, once for each row of a source; an id that is taken is an error.</summary>
    public static string InsertFrom(string source) =>
        $"INSERT INTO tasks (id, {Names}) SELECT @id, {string.Join(", ", TaskRow.Columns.Select(ParameterOf))}"
        + $" FROM {source}";

    public static string Update { get; } =
        "UPDATE tasks SET "
        + string.Join(", ", TaskRow.Columns.Select(column => $"{column.Name} = {ParameterOf(column)}"))
        + " WHERE id = @id";

    public static string Delete => "DELETE FROM tasks WHERE id = @id";

    public static string Find { get; } = $"SELECT id, {Names} FROM tasks WHERE id = @id";

    public static string ListIdsDescending => "SELECT id FROM tasks WHERE id < @before ORDER BY id DESC LIMIT @limit";

    /// <summary>A page behind an id. It has conditions for the given filters only, so that an index can serve
    /// it.</summary>
    public static string List(TaskQuery query)
    {
        var sql = new StringBuilder($"SELECT id, {Names} FROM tasks WHERE id > @after");
        sql.Append(query.Completed is null ? "" : " AND completed = @completed");
        sql.Append(query.Priority is null ? "" : " AND priority = @priority");
        sql.Append(query.DueBefore is null ? "" : " AND due_date < @due_before");
        return sql.Append(" ORDER BY id LIMIT @limit").ToString();
    }

    /// <summary>Sets the parameters of <see cref="Insert"/> and <see cref="Update"/>.</summary>
    public static void SetTask(SqlParameters parameters, StoredTask task)
    {
        var row = TaskRow.FromDomain(task.Entry);
        Set(parameters, "@id", DbType.String, task.Id);
        foreach (var column in TaskRow.Columns)
        {
            Set(parameters, ParameterOf(column), column.Type, column.Value(row));
        }
    }

    /// <summary>Sets the parameter of <see cref="Find"/> and <see cref="Delete"/>.</summary>
    public static void SetId(SqlParameters parameters, string id) => Set(parameters, "@id", DbType.String, id);

    /// <summary>Sets the parameters of <see cref="ListIdsDescending"/>.</summary>
    public static void SetBefore(SqlParameters parameters, string before, int limit)
    {
        Set(parameters, "@before", DbType.String, before);
        Set(parameters, "@limit", DbType.Int32, limit);
    }

    /// <summary>Sets the parameters of <see cref="List"/>.</summary>
    public static void SetQuery(SqlParameters parameters, TaskQuery query, string after, int limit)
    {
        Set(parameters, "@after", DbType.String, after);
        Set(parameters, "@limit", DbType.Int32, limit);
        // The row mapping converts the values of the filters.
        var row = TaskRow.FromDomain(new TaskEntry
        {
            Title = "-",
            Completed = query.Completed ?? false,
            Priority = query.Priority ?? TaskPriority.None,
        });
        if (query.Completed is not null)
        {
            Set(parameters, "@completed", DbType.Boolean, row.Completed);
        }
        if (query.Priority is not null)
        {
            Set(parameters, "@priority", DbType.String, row.Priority);
        }
        if (query.DueBefore is { } bound)
        {
            Set(parameters, "@due_before", DbType.Int64, TaskRow.FirstMicrosecondFrom(bound));
        }
    }

    /// <summary>Sets a parameter, and creates it the first time.</summary>
    public static void Set(SqlParameters parameters, string name, DbType type, object? value)
    {
        var at = parameters.Items.IndexOf(name);
        if (at < 0)
        {
            var parameter = parameters.Create();
            (parameter.ParameterName, parameter.DbType) = (name, type);
            at = parameters.Items.Add(parameter);
        }
        parameters.Items[at].Value = value ?? DBNull.Value;
    }

    /// <summary>Reads the current row of <see cref="Find"/> and <see cref="List"/>.</summary>
    /// <returns>False, with the reason, when it breaks a rule of the domain: another program wrote it.</returns>
    public static bool TryRead(
        DbDataReader reader, [NotNullWhen(true)] out StoredTask? task, [NotNullWhen(false)] out string? problem)
    {
        var id = reader.GetString(0);
        task = null;
        if (!TaskIds.IsValid(id))
        {
            problem = "its id is not an id";
            return false;
        }
        if (!TaskRow.Read(reader, at: 1).TryToDomain(out var entry, out problem))
        {
            return false;
        }
        task = new StoredTask(id, entry);
        return true;
    }

    private static string ParameterOf((string Name, DbType Type, Func<TaskRow, object?> Value) column) =>
        "@" + column.Name;
}

/// <summary>The parameters of a command or of a batch command.</summary>
/// <param name="Items">The parameters so far.</param>
/// <param name="Create">Creates another one.</param>
internal readonly record struct SqlParameters(DbParameterCollection Items, Func<DbParameter> Create)
{
    public static implicit operator SqlParameters(DbCommand command) =>
        new(command.Parameters, command.CreateParameter);

    public static implicit operator SqlParameters(DbBatchCommand command) =>
        new(command.Parameters, command.CreateParameter);
}
