using System.IO.Compression;
using System.Text;

namespace TaskService.Acceptance.Contract;

/// <summary>Media types and content codings, both ways.</summary>
internal static class MediaStatements
{
    private const string Form = "application/x-www-form-urlencoded";

    private static readonly Expected Unsupported = Expected.Problem(415, "Unsupported Media Type");
    private static readonly Expected NotAcceptable = Expected.Problem(406, "Not Acceptable");
    private static readonly byte[] Task = Encoding.UTF8.GetBytes(ContractSession.TaskJson);
    private static readonly string Large = $$"""{"title":"t","description":"{{new string('x', 2_000)}}"}""";

    public static readonly IReadOnlyList<Statement> All =
    [
        Takes("without a Content-Type", null),
        Takes("as application/json; charset=utf-8", "application/json; charset=utf-8"),
        Takes("as Application/JSON in any case", "Application/JSON"),
        Takes("as the form that curl -d sends", Form),
        Refuses("as text/plain", "text/plain"),
        Refuses("as multipart/form-data", "multipart/form-data; boundary=x"),
        Refuses("as application/merge-patch+json", "application/merge-patch+json"),
        Refuses("in another charset", "application/json; charset=utf-16"),
        Refuses("of a type that is none", "nonsense"),
        Refuses("as a form from a page in a browser (Origin)", Form, ("Origin", "http://evil.example")),
        Refuses("as a form from a page in a browser (Sec-Fetch-Site)", Form, ("Sec-Fetch-Site", "cross-site")),
        new("PUT /tasks/{id} of another type is 415 before 400 and 404", session => session.Api.SendAsync(
            ApiRequest.Of("PUT", "/tasks/none", "{") with { ContentType = "text/plain" }, Unsupported)),

        new("POST /tasks takes a gzipped body", session => session.PostAsync(Coded("gzip", Gzip(Task)))),
        new("POST /tasks refuses what is not gzip but says so: 400", session =>
            session.PostAsync(Coded("gzip", Task), Expected.Problem(400, "Invalid JSON body"))),
        new("POST /tasks refuses gzip that is cut off: 400", session =>
            session.PostAsync(Coded("gzip", Gzip(Task)[..^4]), Expected.Problem(400, "Invalid JSON body"))),
        new("POST /tasks refuses another coding: 415", session => session.PostAsync(Coded("br", Task), Unsupported)),
        new("POST /tasks of more than 1 MiB when decoded is 413", session =>
            session.PostAsync(Coded("gzip", Gzip(new byte[3_000_000])), Expected.Problem(413, "Content Too Large"))),

        new("GET answers 406 with a problem when the client takes no JSON", session => session.Api.GetAsync(
            "/tasks?limit=1", NotAcceptable, ("Accept", "text/html"))),
        new("HEAD answers 406 when the client takes no JSON", session =>
            session.Api.HeadAsync("/tasks?limit=1", 406, ("Accept", "text/html"))),
        new("GET answers 406 when the client takes JSON at q=0 only", session => session.Api.GetAsync(
            "/tasks?limit=1", NotAcceptable, ("Accept", "application/json;q=0, */*"))),
        new("GET takes application/* and */*", async session =>
        {
            await session.Api.GetAsync("/tasks?limit=1", 200, ("Accept", "application/*"));
            await session.Api.GetAsync("/tasks?limit=1", 200, ("Accept", "text/html, */*;q=0.1"));
        }),
        new("PUT does not look at Accept", async session =>
            await session.Api.PutAsync(
                await session.CreateAsync(), ContractSession.TaskJson, 204, ("Accept", "text/html"))),
        new("an error is a problem whatever the client accepts", session => session.Api.GetAsync(
            "/tasks/none", TaskStatements.Missing("none"), ("Accept", "text/html"))),
        new("GET answers 406 when the client takes no coding of ours", session => session.Api.GetAsync(
            "/tasks?limit=1", NotAcceptable, ("Accept-Encoding", "*;q=0"))),
        Codes("gzip", "gzip"),
        Codes("br", "br"),
        Codes("gzip, deflate, br", "br"),
        Codes("gzip;q=1, br;q=0.5", "gzip"),
        Codes("deflate", null),
        new("GET of less than 1,024 bytes is not coded", async session =>
            (await session.Api.GetAsync(await session.CreateAsync(), 200, ("Accept-Encoding", "gzip, br")))
                .RequireHeader("Content-Encoding", null).RequireMember("Vary", "Accept-Encoding")),
    ];

    private static Statement Takes(string how, string? type) =>
        new($"POST /tasks takes JSON {how}", session => session.PostAsync(Typed(type)));

    private static Statement Refuses(string how, string type, params (string Name, string Value)[] headers) =>
        new($"POST /tasks refuses JSON {how}: 415", session =>
            session.PostAsync(Typed(type) with { Headers = headers }, Unsupported));

    private static Statement Codes(string accept, string? coding) =>
        new($"GET with Accept-Encoding: {accept} answers {(coding is null ? "without a coding" : $"in {coding}")}",
            async session =>
            {
                var path = await session.CreateAsync(Large);
                var plain = await session.Api.GetAsync(path);
                var coded = await session.Api.GetAsync(path, 200, ("Accept-Encoding", accept));
                var suffix = coding is null ? "\"" : $"-{coding}\"";
                coded.RequireHeader("Content-Encoding", coding).RequireMember("Vary", "Accept-Encoding")
                    .RequireHeader("ETag", plain.Header("ETag")?[..^1] + suffix)
                    .Require(Decode(coded).SequenceEqual(plain.Bytes), "expected the same body when decoded");
                var head = await session.Api.HeadAsync(path, 200, ("Accept-Encoding", accept));
                TaskStatements.AssertSameHead(coded, head);
            });

    private static ApiRequest Typed(string? type) => new("POST", "/tasks") { Body = Task, ContentType = type };

    private static ApiRequest Coded(string coding, byte[] body) =>
        new("POST", "/tasks") { Body = body, Headers = [("Content-Encoding", coding)] };

    private static byte[] Gzip(byte[] plain)
    {
        using var coded = new MemoryStream();
        using (var gzip = new GZipStream(coded, CompressionLevel.Optimal))
        {
            gzip.Write(plain);
        }
        return coded.ToArray();
    }

    private static byte[] Decode(ApiResponse response)
    {
        using var body = new MemoryStream(response.Bytes);
        using var plain = new MemoryStream();
        using Stream decoder = response.Header("Content-Encoding") switch
        {
            "gzip" => new GZipStream(body, CompressionMode.Decompress),
            "br" => new BrotliStream(body, CompressionMode.Decompress),
            _ => body,
        };
        try
        {
            decoder.CopyTo(plain);
        }
        catch (InvalidDataException)
        {
            response.Require(false, "expected a body in its coding");
        }
        return plain.ToArray();
    }
}
