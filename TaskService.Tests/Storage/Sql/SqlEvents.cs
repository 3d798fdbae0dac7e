using System.Text.Json;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage.Sql;

/// <summary>A statement, as the events of a service tell it.</summary>
/// <param name="Type">Of its operation.</param>
/// <param name="Id">Of the event, which is that of the request.</param>
/// <param name="Parent">The type of the operation that it is within; null for none.</param>
/// <param name="Query">Its text.</param>
/// <param name="Rows">The <c>row_count</c>; null for none.</param>
/// <param name="ReadFrom">Which server; null where there is no choice.</param>
internal sealed record SqlEvent(string Type, string Id, string? Parent, string Query, long? Rows, string? ReadFrom);

internal static class SqlEvents
{
    /// <summary>
    /// Those within a request. Other services of this process, and stores without one, may leave others.
    /// </summary>
    /// <inheritdoc cref="Read" path="/param"/>
    public static List<SqlEvent> OfRequests(string path) => [.. Read(path).Where(one => one.Parent is not null)];

    /// <summary>What a service wrote that has ended, in the order in which statements ended.</summary>
    /// <param name="path">Of its file of events.</param>
    public static List<SqlEvent> Read(string path)
    {
        var all = LogFiles.WholeLines(path).Select(line => JsonElement.Parse(line)).ToList();
        var types = all.ToDictionary(
            one => Text(one, "span_id")!, one => (Id: Text(one, "id"), Type: Text(one, "type")));
        return [.. all.Where(one => one.GetProperty("body").TryGetProperty("query", out _)).Select(one =>
        {
            var body = one.GetProperty("body");
            var parent = Text(one, "parent_id") is { } span ? types[span] : default;
            // Whose statement it is.
            Assert.Equal(parent.Id ?? Text(one, "id"), Text(one, "id"));
            return new SqlEvent(
                Text(one, "type")!,
                Text(one, "id")!,
                parent.Type,
                Text(body, "query")!,
                body.TryGetProperty("row_count", out var rows) ? rows.GetInt64() : null,
                Text(body, "read_from"));
        })];
    }

    private static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) ? value.GetString() : null;
}
