using System.Buffers;
using TaskService.Domain;
using TaskService.Http;
using TaskService.Telemetry.Operations;

namespace TaskService.Operations;

/// <summary>
/// <c>sql_profiler</c>: the state of the SQL profiler, and with <c>?enable=1</c> or <c>0</c> its switch.
/// </summary>
internal static class SqlProfilerEndpoint
{
    private const string Parameter = "enable";

    private static readonly Problem NoStatements = new(
        StatusCodes.Status409Conflict,
        "No SQL",
        "The storage engine of this service has no statements to explain; sqlite and postgres have.");

    public static void MapSqlProfiler(this IEndpointRouteBuilder operations)
    {
        var storage = operations.ServiceProvider.GetRequiredService<IStorage>();
        operations.MapMethods(
            "/sql_profiler",
            [HttpMethods.Get, HttpMethods.Put],
            (HttpRequest request) => Switch(
                storage.Profiler, request.Query[Parameter], mayRead: !HttpMethods.IsPut(request.Method)));
    }

    private static ApiResult Switch(ISqlProfiler? profiler, IReadOnlyList<string?> enable, bool mayRead)
    {
        if (!(enable is ["0"] or ["1"] || (mayRead && enable is [])))
        {
            return Problem.InvalidQuery($"{Parameter} must be 1 or 0, and comes once; GET without it only reads");
        }
        if (profiler is null)
        {
            return NoStatements;
        }
        if (enable is [])
        {
            // The page asks for it again and again.
            Operation.Current?.Level = LogLevel.Debug;
        }
        else if (enable is ["1"])
        {
            profiler.Enable();
        }
        else
        {
            profiler.Disable();
        }
        return new ApiResult { Status = StatusCodes.Status200OK, Body = ToJson(profiler.State) };
    }

    private static ReadOnlyMemory<byte> ToJson(SqlProfilerState state)
    {
        var body = new ArrayBufferWriter<byte>(256);
        var json = StrictJson.WriterTo(body);
        json.WriteStartObject();
        json.WriteNumber("status"u8, StatusCodes.Status200OK);
        json.WriteBoolean("enabled"u8, state.Until is not null);
        if (state.Until is { } until)
        {
            json.WriteString("until"u8, until.UtcDateTime);
        }
        json.WriteNumber("statements"u8, state.Statements);
        json.WriteNumber("statements_max"u8, state.StatementsMax);
        json.WriteNumber("not_explained"u8, state.NotExplained);
        json.WriteBoolean("logged"u8, state.IsLogged);
        json.WriteEndObject();
        json.Flush();
        return body.WrittenMemory;
    }
}
