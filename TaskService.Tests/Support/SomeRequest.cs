using System.IO.Compression;
using System.Text;
using FsCheck;
using FsCheck.Fluent;

namespace TaskService.Tests.Support;

/// <summary>A request as bytes: anything that a client can send, and much that it should not.</summary>
/// <param name="Bytes">The whole of it, or not.</param>
/// <param name="IsCut">Whether the end is missing.</param>
internal sealed record SomeRequest(byte[] Bytes, bool IsCut)
{
    private static readonly Gen<string> Methods = Gen.Frequency(
        (8, Gen.Elements("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")),
        (1, Gen.Elements("BREW", "get", "TRACE", "CONNECT", "M-SEARCH", "G\u00e4T", "", "A B", "\"")));

    private static readonly Gen<string> Targets = Gen.Frequency(
        (6, Gen.Elements("/tasks", "/tasks/", "/tasks/none", "/tasks/none/", "/health/live", "/health/ready",
            "/nope")),
        (2, from query in Gen.Elements("limit", "after", "completed", "priority", "due_before", "x", "%", "&", "=")
            from value in Gen.Elements("1", "0", "-1", "true", "high", "1e9", "%00", "%ff", "%", "+", "\u00e9",
                "", "a_b", "[]")
            select $"/tasks?{query}={value}"),
        (2, Gen.Elements("/tasks/%41", "/tasks/..%2f..%2fx", "//", "/", "*", "http://a/tasks", "http://a",
            "tasks", "/tasks#x",
            "/tasks/%00", "/\u00e9", "/tasks/\"", "https://[::1]/tasks?x", "/tasks/a\tb", "ftp://", "://",
            "/%", "/tasks?%")),
        (1, Gen.Choose(1, 9_000).Select(length => "/tasks/" + new string('a', length))));

    private static readonly Gen<string> HeaderNames = Gen.Elements(
        "Accept", "Accept-Encoding", "Accept-Charset", "If-Match", "If-None-Match", "If-Modified-Since",
        "Content-Type",
        "Content-Encoding", "Idempotency-Key", "X-Request-ID", "X-Correlation-ID", "Origin", "User-Agent",
        "Range", "Expect",
        "Cookie", "traceparent", "tracestate", "baggage", "X-Forwarded-For", "Host", "Upgrade", "Connection",
        "Trailer", "x y");

    private static readonly Gen<string> HeaderValues = Gen.Frequency(
        (12, Gen.Elements("", "*", "*/*;q=0", "application/json", "application/json; charset=bogus", "gzip",
            "br;q=2", "identity;q=0",
            "\"x\"", "W/\"x\"", "\"", ",", ";", ";q=", "a,b;q=x", "text/plain", "text/html", "100-continue",
            "bytes=0-1", "upgrade", "close",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "application/merge-patch+json",
            "gzip, gzip")),
        (1, Gen.Choose(0x20, 0xff).ArrayOf().Select(units => new string([.. units.Select(unit => (char)unit)]))),
        (1, Gen.Choose(0, 0xff).ArrayOf().Select(units => new string([.. units.Select(unit => (char)unit)]))),
        (1, Gen.Choose(0, 20_000).Select(length => new string('v', length))));

    private static readonly Gen<byte[]> Bodies = Gen.Frequency(
        (60, SomeJson.Documents.Select(Encoding.UTF8.GetBytes)),
        (20, Gen.Choose(0, 255).ArrayOf().Select(units => units.Select(unit => (byte)unit).ToArray())),
        (20, from document in SomeJson.Documents
             from at in Gen.Choose(0, 1_000)
             from value in Gen.Choose(0, 255)
             select Broken(Encoding.UTF8.GetBytes(document), at, (byte)value)),
        (10, SomeJson.Documents.Select(document => Gzip(Encoding.UTF8.GetBytes(document)))),
        (1, Gen.Choose(1, 2).Select(mebibytes => new byte[mebibytes * 700_000])),
        (2, Gen.Choose(1, 20_000).Select(depth => Encoding.UTF8.GetBytes(new string('[', depth)))));

    private static readonly Gen<string> Framings = Gen.Frequency(
        (6, Gen.Constant("length")), (3, Gen.Constant("chunked")), (1, Gen.Constant("none")),
        (1, Gen.Elements(
            "Content-Length: -1", "Content-Length: 1, 1", "Content-Length: 99999999999999999999",
            "Content-Length: x",
            "Transfer-Encoding: gzip", "Transfer-Encoding: chunked, chunked",
            "Content-Length: 1\r\nTransfer-Encoding: chunked")));

    // What gets past the first checks, so that the ones behind are reached.
    private static readonly Gen<(string Method, string Target)> Lines = Gen.Frequency(
        (8, Gen.Elements(
            ("GET", "/tasks"), ("GET", "/tasks?limit=3"), ("HEAD", "/tasks"), ("POST", "/tasks"),
            ("POST", "/tasks/"), ("POST", "/tasks?x"), ("PUT", "/tasks/none"),
            ("PATCH", "/tasks/none"), ("DELETE", "/tasks/none"))),
        (4, from method in Methods from target in Targets select (method, target)));

    public static Gen<SomeRequest> All { get; } =
        from line in Lines
        from version in Gen.Frequency(
            (15, Gen.Constant("HTTP/1.1")), (1, Gen.Elements("HTTP/1.0", "HTTP/2.0", "HTTP/9", "")))
        from count in Gen.Choose(0, 2)
        from headers in Header.ListOf(count)
        from body in Bodies
        from framing in Framings
        from chunk in Gen.Frequency(
            (8, Gen.Constant("")), (1, Gen.Elements("zz", "ffffffffffffffffff", "-1", ";x=\"", "7fffffff")))
        from cut in Gen.Frequency((12, Gen.Constant(0)), (1, Gen.Choose(1, 400)))
        from close in Gen.Frequency((9, Gen.Constant("")), (1, Gen.Constant("Connection: close\r\n")))
        let head = $"{line.Method} {line.Target} {version}\r\nHost: a\r\n{close}{string.Concat(headers)}"
        // A header with a line break in it may end the head: what follows is then another request, or none.
        let isTorn = headers.Any(header => header.AsSpan(0, header.Length - 1).Contains('\n'))
        select Make(head, body, framing, chunk, cut, isTorn);

    private static Gen<string> Header { get; } =
        from name in HeaderNames
        from value in HeaderValues
        select $"{name}: {value}\r\n";

    /// <summary>A body beyond the limit, which random requests seldom have with everything else right.</summary>
    public static SomeRequest TooLarge { get; } =
        Make("POST /tasks HTTP/1.1\r\nHost: a\r\n", new byte[1_400_000], "length", "", cut: 0, isTorn: false);

    private static SomeRequest Make(string head, byte[] body, string framing, string chunk, int cut, bool isTorn)
    {
        byte[] bytes = framing switch
        {
            "none" => Latin1($"{head}\r\n"),
            "length" => [.. Latin1($"{head}Content-Length: {body.Length}\r\n\r\n"), .. body],
            "chunked" => [.. Latin1($"{head}Transfer-Encoding: chunked\r\n\r\n"), .. Chunked(body, chunk)],
            _ => [.. Latin1($"{head}{framing}\r\n\r\n"), .. body],
        };
        var isCut = isTorn || cut > 0 || framing is not ("none" or "length" or "chunked") || chunk.Length > 0;
        return new SomeRequest(bytes[..Math.Max(1, bytes.Length - cut)], isCut);
    }

    private static byte[] Chunked(byte[] body, string wrong)
    {
        var half = body.Length / 2;
        var size = wrong.Length > 0 ? wrong : $"{body.Length - half:x}";
        byte[] first = half == 0 ? [] : [.. Latin1($"{half:X}\r\n"), .. body[..half], .. "\r\n"u8];
        return body.Length == 0
            ? [.. "0\r\n\r\n"u8]
            : [.. first, .. Latin1($"{size}\r\n"), .. body[half..], .. "\r\n0\r\n\r\n"u8];
    }

    private static byte[] Latin1(string text) => Encoding.Latin1.GetBytes(text);

    private static byte[] Broken(byte[] body, int at, byte value)
    {
        if (body.Length > 0)
        {
            body[at % body.Length] = value;
        }
        return body;
    }

    private static byte[] Gzip(byte[] plain)
    {
        using var coded = new MemoryStream();
        using (var gzip = new GZipStream(coded, CompressionLevel.Fastest))
        {
            gzip.Write(plain);
        }
        return coded.ToArray();
    }
}
