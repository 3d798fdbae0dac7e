using System.IO.Compression;
using System.Text;
using System.Text.RegularExpressions;
using TaskService.Tests.Support;

namespace TaskService.Tests.Storage;

/// <summary>What an engine answered, in words that are the same on every other.</summary>
/// <param name="Headers">One a line, in the order of their names.</param>
/// <param name="Made">The request that made the task that <c>Location</c> names.</param>
internal sealed record LockStepAnswer(int Status, string Headers, string Body, int? Made, string? Tag, bool HasMore)
{
    public override string ToString() => $"{Status}\n{Headers}\n{LockStepRequest.Short(Body)}";
}

/// <summary>The service on an engine, whose ids and tags of lists are replaced by what all engines share.</summary>
/// <param name="name">In messages.</param>
/// <param name="taskDb">The configuration.</param>
/// <param name="isDurable">An engine that is not is never stopped.</param>
internal sealed partial class LockStepEngine(string name, string taskDb, bool isDurable) : IAsyncDisposable
{
    // The time; and what only an engine with several servers has to say.
    private static readonly string[] OfEachAlone = ["Date", "Server-Timing", "X-Read-After"];

    private static readonly string[] Framing = ["Content-Length", "Transfer-Encoding"];

    private readonly Dictionary<int, string> ids = [];
    private readonly Dictionary<string, int> makers = new(StringComparer.Ordinal);
    private readonly Dictionary<int, string> listTags = [];
    private readonly Dictionary<string, int> seenTags = new(StringComparer.Ordinal);
    private RunningService service = null!;

    public string Name => name;

    public async Task StartAsync() => service = await RunningService.StartAsync(taskDb);

    public async Task RestartAsync()
    {
        if (isDurable)
        {
            await service.DisposeAsync();
            await StartAsync();
        }
    }

    public async Task<LockStepAnswer> SendAsync(LockStepRequest request)
    {
        using var message = request.ToHttp(IdOf, TagOf);
        using var answer = await service.Client.SendAsync(message);
        var coding = string.Join(',', answer.Content.Headers.ContentEncoding);
        var body = await ReadAsync(answer, coding);
        var location = answer.Headers.Location?.OriginalString;
        if (location is not null)
        {
            var id = location["/tasks/".Length..];
            makers.TryAdd(id, request.Number);
            ids[request.Number] = id;
        }
        if (request is { Method: "GET" or "HEAD", Of: null } && answer.Headers.ETag is { } tag)
        {
            if (answer.IsSuccessStatusCode)
            {
                // What a 304 stands for, nobody has seen.
                listTags[request.Number] = $"\"{Plain(tag.Tag)}\"";
            }
            seenTags.TryAdd(Plain(tag.Tag), request.Number);
        }
        // Ids are as long on every engine, but not when they are coded. And a list that is too long for a tag is kept
        // whole on engines that know when it changes, and sent in pieces on others.
        var isLong = request.IsList && answer.IsSuccessStatusCode && answer.Headers.ETag is null;
        var passed = coding.Length > 0 || isLong ? [.. OfEachAlone, .. Framing] : OfEachAlone;
        var headers = answer.Headers.Concat(answer.Content.Headers)
            .Where(header => !passed.Contains(header.Key))
            .OrderBy(header => header.Key, StringComparer.Ordinal)
            .Select(header => Shared($"{header.Key}: {string.Join(", ", header.Value)}"));
        return new LockStepAnswer(
            (int)answer.StatusCode,
            string.Join('\n', headers),
            Shared(body),
            location is null ? null : makers[location["/tasks/".Length..]],
            answer.Headers.ETag is { } given ? Shared(Plain(given.Tag)) : null,
            answer.Headers.Contains("Link"));
    }

    public ValueTask DisposeAsync() => service.DisposeAsync();

    private static async Task<string> ReadAsync(HttpResponseMessage answer, string coding)
    {
        var sent = await answer.Content.ReadAsStreamAsync();
        await using var plain = (coding, sent.CanSeek && sent.Length == 0) switch
        {
            (_, true) or ("", _) => sent,
            ("gzip", _) => new GZipStream(sent, CompressionMode.Decompress),
            _ => new BrotliStream(sent, CompressionMode.Decompress),
        };
        using var reader = new StreamReader(plain, new UTF8Encoding(false, throwOnInvalidBytes: true));
        return await reader.ReadToEndAsync();
    }

    /// <summary>Without quotes, and without what says how the body is coded.</summary>
    private static string Plain(string tag) => tag.Trim('"').Split('-')[0];

    // An id that nobody has when the request that would have made it was left out.
    private string IdOf(int number) => ids.GetValueOrDefault(number, $"none-{number}");

    private string TagOf(int number) => listTags.GetValueOrDefault(number, "\"none\"");

    private string Shared(string text) => Hash().Replace(
        text,
        found => makers.TryGetValue(found.Value, out var maker) ? $"<{maker}>"
            : seenTags.TryGetValue(found.Value, out var first) ? $"<tag of {first}>"
            : found.Value);

    [GeneratedRegex("[0-9a-f]{32}")]
    private static partial Regex Hash();
}
