using System.Security.Cryptography;
using System.Text;
using Microsoft.Net.Http.Headers;
using TaskService.Configuration;

namespace TaskService.Operations;

/// <summary>
/// The page of the operators at the base path, with and without a slash behind it: static files out of the assembly,
/// which hold no data and so are open to everyone. The script asks for the secret, and sends it to the endpoints beside
/// the page.
/// </summary>
internal static class OperationsPage
{
    // No inline script or style, nothing of another host, and in no frame.
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private const string ResourceFolder = "page/";
    private const string PageName = "page.html";
    private const string PageType = "text/html; charset=utf-8";

    /// <summary>Maps the page and its parts; there is none without a base path, where <c>/</c> has the links.</summary>
    public static void MapPage(this IEndpointRouteBuilder operations, OperationsSettings settings)
    {
        if (settings.BasePath.Length == 0)
        {
            return;
        }
        var page = operations.MapGroup("").AllowAnonymous();
        // Links are relative, so that they are right behind a proxy that shortens paths.
        var folder = settings.BasePath[(settings.BasePath.LastIndexOf('/') + 1)..];
        var below = StaticFile.Read(PageName, PageType, $"{folder}/");
        var beside = StaticFile.Read(PageName, PageType);
        page.MapGet("", http => (http.Request.Path.Value is [.., '/'] ? beside : below).SendAsync(http))
            .WithName("operations");
        foreach (var name in typeof(OperationsPage).Assembly.GetManifestResourceNames())
        {
            if (name.StartsWith(ResourceFolder, StringComparison.Ordinal) && name != ResourceFolder + PageName)
            {
                var file = name[ResourceFolder.Length..];
                var type = file.EndsWith(".css", StringComparison.Ordinal) ? "css" : "javascript";
                page.MapGet($"/{file}", StaticFile.Read(file, $"text/{type}; charset=utf-8").SendAsync);
            }
        }
    }

    /// <param name="Bytes">All of it.</param>
    /// <param name="Type">Of the content.</param>
    /// <param name="Tag">Of the bytes.</param>
    private sealed record StaticFile(byte[] Bytes, string Type, EntityTagHeaderValue Tag)
    {
        /// <param name="name">Of the resource.</param>
        /// <param name="type">Of the content.</param>
        /// <param name="folder">Stands before the names of the parts.</param>
        public static StaticFile Read(string name, string type, string folder = "")
        {
            using var stream = typeof(OperationsPage).Assembly.GetManifestResourceStream(ResourceFolder + name)!;
            using var reader = new StreamReader(stream);
            var text = reader.ReadToEnd().Replace("{folder}", folder, StringComparison.Ordinal);
            var bytes = Encoding.UTF8.GetBytes(text);
            return new StaticFile(bytes, type, new($"\"{Convert.ToHexStringLower(SHA256.HashData(bytes)[..16])}\""));
        }

        public Task SendAsync(HttpContext http)
        {
            var headers = http.Response.Headers;
            headers.ContentSecurityPolicy = Policy;
            headers.XContentTypeOptions = "nosniff";
            headers["Referrer-Policy"] = "no-referrer";
            headers["Cross-Origin-Opener-Policy"] = "same-origin";
            headers["Cross-Origin-Resource-Policy"] = "same-origin";
            headers.CacheControl = "no-cache";
            return TypedResults.Bytes(Bytes, Type, entityTag: Tag).ExecuteAsync(http);
        }
    }
}
