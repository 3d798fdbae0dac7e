using System.Collections.Concurrent;
using System.Data;
using System.Data.Common;
using System.Text;
using TaskService.Domain;

namespace TaskService.Storage.Sql;

/// <summary>A row that was read.</summary>
/// <param name="Id">As it stands in the table.</param>
/// <param name="Item">Null when the row breaks a rule of the domain: another program wrote it.</param>
/// <param name="Problem">Which rule; null when it breaks none.</param>
/// <param name="Characters">Total length of its texts.</param>
internal readonly record struct ReadRow<T>(string Id, Stored<T>? Item, string? Problem, int Characters)
    where T : class, IContent;

/// <summary>
/// Statements on the table of an entity, in SQL that every engine supports, and the mapping of values to and from rows.
/// </summary>
internal sealed class EntitySql<T>
    where T : class, IContent
{
    private readonly Entity<T> entity;
    private readonly string names;
    private readonly string values;
    private readonly DbType[] filterTypes;

    // By the set of filters that restrict, a bit each.
    private readonly ConcurrentDictionary<int, string> lists = new();

    public EntitySql(Entity<T> entity)
    {
        this.entity = entity;
        names = string.Join(", ", entity.Columns.Select(column => column.Name));
        values = string.Join(", ", entity.Columns.Select(column => $"@{column.Name}"));
        filterTypes =
        [
            .. entity.Filters.Select(
                filter => entity.Columns.First(column => column.Name == filter.Column).Type),
        ];
        Insert = $"INSERT INTO {entity.Table} (id, {names}) VALUES (@id, {values}) ON CONFLICT (id) DO NOTHING";
        InsertCopy = $"INSERT INTO {entity.Table} (id, {names}) SELECT @id, {names} FROM {entity.Table} LIMIT 1";
        var sets = entity.Columns.Select(column => $"{column.Name} = @{column.Name}");
        // References never change: a value of another parent is not found.
        var parents = entity.References.Select(reference => $" AND {reference.Column} = @{reference.Column}");
        Update = $"UPDATE {entity.Table} SET {string.Join(", ", sets)} WHERE id = @id{string.Concat(parents)}";
        Delete = $"DELETE FROM {entity.Table} WHERE id = @id";
        Find = $"SELECT id, {names} FROM {entity.Table} WHERE id = @id";
        ListIdsDescending = $"SELECT id FROM {entity.Table} WHERE id < @before ORDER BY id DESC LIMIT @limit";
    }

    public string Insert { get; }

    /// <summary>Inserts a copy of some row under another id, to test that rows can be inserted; nothing when there is
    /// none.</summary>
    public string InsertCopy { get; }

    public string Update { get; }

    public string Delete { get; }

    public string Find { get; }

    public string ListIdsDescending { get; }

    /// <summary>As <see cref="Insert"/>, once for each row of a source; an id that is taken is an error.</summary>
    public string InsertFrom(string source) =>
        $"INSERT INTO {entity.Table} (id, {names}) SELECT @id, {values} FROM {source}";

    /// <summary>A page behind an id. It has conditions for the given filters only, so that an index can serve
    /// it.</summary>
    public string List(Query<T> query)
    {
        var given = 0;
        for (var i = 0; i < entity.Filters.Count; i++)
        {
            given |= entity.Filters[i].Value(query) is null ? 0 : 1 << i;
        }
        return lists.GetOrAdd(given, MakeList);
    }

    /// <summary>Sets the parameters of <see cref="Insert"/> and <see cref="Update"/>.</summary>
    public void SetItem(SqlParameters parameters, Stored<T> item)
    {
        parameters.SetId(item.Id);
        entity.Write(item.Value, parameters);
    }

    /// <summary>Sets the parameters of <see cref="List"/>.</summary>
    public void SetQuery(SqlParameters parameters, Query<T> query, string after, int limit)
    {
        parameters.Set("@after", DbType.String, after);
        parameters.Set("@limit", DbType.Int32, limit);
        for (var i = 0; i < filterTypes.Length; i++)
        {
            var filter = entity.Filters[i];
            if (filter.Value(query) is { } value)
            {
                parameters.Set(filter.Parameter, filterTypes[i], value);
            }
        }
    }

    /// <summary>Reads the current row of <see cref="Find"/> and <see cref="List"/>.</summary>
    public ReadRow<T> Read(DbDataReader reader)
    {
        var id = reader.GetString(0);
        if (!IdGenerator.IsValid(id))
        {
            return new(id, null, "its id is not an id", 0);
        }
        var value = entity.Read(reader, at: 1, out var problem, out var characters);
        return new(id, value is null ? null : new Stored<T>(id, value), problem, characters);
    }

    private string MakeList(int given)
    {
        var sql = new StringBuilder($"SELECT id, {names} FROM {entity.Table} WHERE id > @after");
        foreach (var (i, filter) in entity.Filters.Index())
        {
            sql.Append((given & (1 << i)) == 0 ? "" : $" AND {filter.Column} {filter.Operator} {filter.Parameter}");
        }
        return sql.Append(" ORDER BY id LIMIT @limit").ToString();
    }
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

    /// <summary>Sets the parameter of a statement on one row.</summary>
    public void SetId(string id) => Set("@id", DbType.String, id);

    /// <summary>Sets the parameters of <see cref="EntitySql{T}.ListIdsDescending"/>.</summary>
    public void SetBefore(string before, int limit)
    {
        Set("@before", DbType.String, before);
        Set("@limit", DbType.Int32, limit);
    }

    /// <summary>Sets a parameter, and creates it the first time.</summary>
    public void Set(string name, DbType type, object? value)
    {
        var at = Items.IndexOf(name);
        if (at < 0)
        {
            var parameter = Create();
            (parameter.ParameterName, parameter.DbType) = (name, type);
            at = Items.Add(parameter);
        }
        Items[at].Value = value ?? DBNull.Value;
    }
}
