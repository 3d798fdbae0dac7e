using System.Data.Common;
using Microsoft.Data.Sqlite;

namespace TaskService.Tests.Storage.Sqlite;

/// <summary>Another process that has a SQLite file open, as far as SQLite can tell.</summary>
internal sealed class SqliteDatabase : IDisposable
{
    private readonly SqliteConnection connection;

    public SqliteDatabase(string file)
    {
        connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
    }

    public SqliteConnection Connection => connection;

    public void Run(string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    public object? Scalar(string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    public List<object[]> Rows(string sql, Action<DbCommand>? set = null)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        set?.Invoke(command);
        using var reader = command.ExecuteReader();
        var rows = new List<object[]>();
        while (reader.Read())
        {
            var row = new object[reader.FieldCount];
            reader.GetValues(row);
            rows.Add(row);
        }
        return rows;
    }

    public void Dispose() => connection.Dispose();
}
