using System.Net.Http.Headers;
using System.Text;

namespace TaskService.Acceptance;

/// <param name="Method">Such as <c>GET</c>.</param>
/// <param name="Path">With its query; sent as it is, without normalization.</param>
internal sealed record ApiRequest(string Method, string Path)
{
    // Longer bodies say no more.
    private const int ShownBytesMax = 2_000;

    /// <summary>Null for none.</summary>
    public byte[]? Body { get; init; }

    /// <summary>Null for none. Not checked: anything can be sent.</summary>
    public string? ContentType { get; init; } = Expected.Json;

    public IReadOnlyList<(string Name, string Value)> Headers { get; init; } = [];

    /// <param name="method">Such as <c>POST</c>.</param>
    /// <param name="path">As <see cref="Path"/>.</param>
    /// <param name="json">The body; null for none.</param>
    /// <param name="headers">More than those that the connection sends.</param>
    public static ApiRequest Of(
        string method, string path, string? json = null, params (string Name, string Value)[] headers) =>
        new(method, path) { Body = json is null ? null : Encoding.UTF8.GetBytes(json), Headers = headers };

    /// <summary>A message for the client of the framework.</summary>
    /// <param name="baseUrl">The address in front of the path.</param>
    /// <param name="always">Headers that the connection sends.</param>
    public HttpRequestMessage ToMessage(string baseUrl, IEnumerable<(string Name, string Value)> always)
    {
        var asIs = new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true };
        var message = new HttpRequestMessage(new HttpMethod(Method), new Uri(baseUrl + Path, asIs));
        if (Body is not null)
        {
            message.Content = new ByteArrayContent(Body);
            Add(message.Content.Headers, "Content-Type", ContentType);
        }
        foreach (var (name, value) in always.Concat(Headers))
        {
            if (name.StartsWith("Content-", StringComparison.OrdinalIgnoreCase) && message.Content is { } content)
            {
                Add(content.Headers, name, value);
            }
            else
            {
                Add(message.Headers, name, value);
            }
        }
        return message;

        static void Add(HttpHeaders headers, string name, string? value)
        {
            if (value is not null && !headers.TryAddWithoutValidation(name, value))
            {
                throw new ArgumentException($"{name} cannot be sent here");
            }
        }
    }

    /// <summary>For people, each line after <c>&gt; </c>.</summary>
    public override string ToString()
    {
        var lines = Headers.Select(header => $"{header.Name}: {header.Value}").Prepend($"{Method} {Path}");
        if (Body is not null)
        {
            lines = lines.Append($"Content-Type: {ContentType}").Append("").Append(Shown(Body));
        }
        return string.Join('\n', lines.Select(line => $"> {line}".TrimEnd()));
    }

    public static string Shown(byte[] body) => Encoding.UTF8.GetString(body, 0, Math.Min(body.Length, ShownBytesMax))
        + (body.Length > ShownBytesMax ? $"… ({body.Length} bytes)" : "");
}
