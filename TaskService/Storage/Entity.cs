using System.Data;
using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using TaskService.Domain;
using TaskService.Storage.Sql;

namespace TaskService.Storage;

/// <summary>
/// How the values of one type are stored: all that engines know of them. It is made once, beside the row model.
/// </summary>
/// <param name="table">Of a database; also the name of a directory.</param>
internal abstract class Entity(string table)
{
    public string Table { get; } = table;

    /// <summary>Within the directory of the engine; empty for that itself.</summary>
    public string Directory { get; init; } = table;

    /// <summary>The columns behind the id. Short ones come first, so that a filter need not read past the texts of rows
    /// that it excludes.</summary>
    public abstract IReadOnlyList<ColumnType> Columns { get; }

    /// <summary>The columns of the filters of a list.</summary>
    public abstract IEnumerable<string> FilterColumns { get; }

    /// <summary>The references to other entities: column and table.</summary>
    public abstract IEnumerable<(string Column, string Table)> Parents { get; }

    /// <summary>Calls a method that is generic in the type of the values.</summary>
    public abstract TResult Accept<TResult>(IEntityVisitor<TResult> visitor);
}

/// <summary>The name and type of a column.</summary>
internal sealed record ColumnType(string Name, DbType Type, bool IsNullable);

/// <summary>An operation on entities of any type.</summary>
internal interface IEntityVisitor<TResult>
{
    TResult Visit<T>(Entity<T> entity)
        where T : class, IContent;
}

/// <inheritdoc/>
internal abstract class Entity<T>(string table) : Entity(table)
    where T : class, IContent
{
    public IReadOnlyList<Filter<T>> Filters { get; init; } = [];

    /// <summary>What a value belongs to, and cannot exist without.</summary>
    public IReadOnlyList<Reference<T>> References { get; init; } = [];

    public override IEnumerable<string> FilterColumns => Filters.Select(filter => filter.Column);

    public override IEnumerable<(string Column, string Table)> Parents =>
        References.Select(reference => (reference.Column, reference.Table));

    /// <summary>The statements on its table.</summary>
    [field: AllowNull]
    public EntitySql<T> Sql => field ??= new EntitySql<T>(this);

    public override TResult Accept<TResult>(IEntityVisitor<TResult> visitor) => visitor.Visit(this);

    /// <summary>Why a change of a value is refused; null when it is not.</summary>
    /// <param name="current">The value as it is; null when there is none.</param>
    /// <param name="next">What is to replace it; null for a deletion.</param>
    /// <param name="expected">The version that it must have; null for any.</param>
    public ErrorKind? Refusal(Stored<T>? current, Stored<T>? next, ContentVersion? expected) =>
        current is null || (next is not null && !HaveSameParents(current.Value, next.Value)) ? ErrorKind.NotFound
        : expected is not null && current.Version != expected ? ErrorKind.VersionMismatch
        : null;

    /// <summary>Sets a parameter for each column.</summary>
    public abstract void Write(T value, SqlParameters parameters);

    /// <summary>Reads the columns, which begin at this ordinal.</summary>
    /// <param name="reader">At a row.</param>
    /// <param name="at">The first ordinal.</param>
    /// <param name="problem">The reason when the row breaks a rule of the domain: another program wrote it.</param>
    /// <param name="characters">Total length of its texts.</param>
    public abstract T? Read(DbDataReader reader, int at, out string? problem, out int characters);

    /// <summary>Writes a file.</summary>
    public abstract byte[] ToFile(T value);

    /// <summary>Reads a file.</summary>
    /// <param name="content">Of the file.</param>
    /// <param name="problem">The reason when it breaks a rule of the domain: another program wrote it.</param>
    /// <exception cref="JsonException">It is not JSON, or has not the members of the row.</exception>
    public abstract T? FromFile(byte[] content, out string? problem);

    private bool HaveSameParents(T one, T other)
    {
        foreach (var reference in References)
        {
            if (reference.IdOf(one) != reference.IdOf(other))
            {
                return false;
            }
        }
        return true;
    }
}

/// <inheritdoc/>
/// <param name="file">
/// Writes and reads files: see <see cref="RowFile.Options"/>. Made for the first file; other engines have none.
/// </param>
/// <param name="columns">Behind the id.</param>
internal sealed class Entity<T, TRow>(string table, Func<JsonTypeInfo<TRow>> file, params Column<TRow>[] columns)
    : Entity<T>(table)
    where T : class, IContent
    where TRow : class, IRow<T, TRow>, new()
{
    private readonly string[] parameters = [.. columns.Select(column => $"@{column.Name}")];

    public override IReadOnlyList<ColumnType> Columns { get; } =
        [.. columns.Select(column => new ColumnType(column.Name, column.Type, column.IsNullable))];

    public override void Write(T value, SqlParameters parameters)
    {
        var row = TRow.FromDomain(value);
        for (var i = 0; i < columns.Length; i++)
        {
            parameters.Set(this.parameters[i], columns[i].Type, columns[i].Get(row));
        }
    }

    public override T? Read(DbDataReader reader, int at, out string? problem, out int characters)
    {
        var row = new TRow();
        characters = 0;
        for (var i = 0; i < columns.Length; i++)
        {
            characters += columns[i].Read(row, reader, at + i);
        }
        return row.TryToDomain(out var value, out problem) ? value : null;
    }

    public override byte[] ToFile(T value) => JsonSerializer.SerializeToUtf8Bytes(TRow.FromDomain(value), file());

    public override T? FromFile(byte[] content, out string? problem)
    {
        if (JsonSerializer.Deserialize(content, file()) is not { } row)
        {
            problem = "it holds null";
            return null;
        }
        return row.TryToDomain(out var value, out problem) ? value : null;
    }
}

/// <summary>A row model: the members that are stored, and the mapping to and from the domain.</summary>
internal interface IRow<T, TSelf>
    where TSelf : class, IRow<T, TSelf>
{
    static abstract TSelf FromDomain(T value);

    /// <returns>False, with the reason, when the row breaks a rule of the domain: another program wrote it.</returns>
    bool TryToDomain([NotNullWhen(true)] out T? value, [NotNullWhen(false)] out string? problem);
}
